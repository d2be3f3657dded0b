/**
 * A turning surface on a 2D canvas, for a quick look at a contour without a graphics card: triangles sorted from back to
 * front and filled by how they face the light. Dragging or the arrow keys turn it.
 */
import { PaintLoop } from "../paint-loop";
import { BACKGROUND } from "../pane-canvas";
import { softwareContext } from "../raster";
import type { Mesh } from "./surface-nets";

type Vector = readonly [number, number, number];

const SURFACE: Vector = [255, 214, 10];
const FRAME_COLOUR = "rgba(143, 163, 184, 0.5)";
const SLICE_COLOUR = "rgba(77, 163, 255, 0.8)";
/** Radians per CSS pixel of a drag, per key, and per millisecond by itself. */
const PER_PIXEL = 0.01;
const PER_KEY = 0.15;
const PER_MS = 0.0006;
/** Between two pictures of a surface that turns by itself: calm to look at, and the drawing keeps the processor. */
const SPIN_EVERY_MS = 50;
const AMBIENT = 0.25;

/** Unit normal and centre of every triangle, worked out once. */
interface Faces {
  readonly normals: Float32Array;
  readonly corners: Uint32Array;
}

function facesOf({ vertices, triangles }: Mesh): Faces {
  const normals = new Float32Array(triangles.length);
  const at = (corner: number, axis: number): number => vertices[3 * (triangles[corner] as number) + axis] as number;
  for (let first = 0; first < triangles.length; first += 3) {
    const u = [0, 1, 2].map((axis) => at(first + 1, axis) - at(first, axis)) as [number, number, number];
    const v = [0, 1, 2].map((axis) => at(first + 2, axis) - at(first, axis)) as [number, number, number];
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]] as const;
    const length = Math.hypot(...n) || 1;
    n.forEach((value, axis) => {
      normals[first + axis] = value / length;
    });
  }
  return { normals, corners: triangles };
}

/** Turned by `turn` about the body's long axis, then tilted; x to the right, y down, z towards the eye. */
export function rotated([x, y, z]: Vector, turn: number, tilt: number): Vector {
  const across = x * Math.cos(turn) + y * Math.sin(turn);
  const depth = x * Math.sin(turn) - y * Math.cos(turn);
  return [across, -z * Math.cos(tilt) + depth * Math.sin(tilt), depth * Math.cos(tilt) + z * Math.sin(tilt)];
}

export interface SurfaceViewOptions {
  readonly canvas: HTMLCanvasElement;
  /** Whether it turns by itself until it is touched. */
  readonly spinning: boolean;
}

export class SurfaceView {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #stop = new AbortController();
  readonly #resize: ResizeObserver;
  #mesh: Mesh = { vertices: new Float32Array(0), triangles: new Uint32Array(0) };
  #faces: Faces = facesOf(this.#mesh);
  #low: Vector = [0, 0, 0];
  #high: Vector = [1, 1, 1];
  #sliceMm: number | null = null;
  #turn = 0.6;
  #tilt = 0.35;
  #spinning: boolean;
  readonly #loop = new PaintLoop((atMs) => this.#step(atMs));
  #beforeMs: number | null = null;

  constructor({ canvas, spinning }: SurfaceViewOptions) {
    this.#canvas = canvas;
    this.#context = softwareContext(canvas);
    this.#spinning = spinning;
    this.#resize = new ResizeObserver(() => this.#request());
    this.#resize.observe(canvas);
    const { signal } = this.#stop;
    canvas.addEventListener("pointerdown", (event) => this.#grab(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#drag(event), { signal });
    canvas.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#request();
  }

  get triangleCount(): number {
    return this.#mesh.triangles.length / 3;
  }

  setMesh(mesh: Mesh): void {
    this.#mesh = mesh;
    this.#faces = facesOf(mesh);
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    mesh.vertices.forEach((value, index) => {
      low[index % 3] = Math.min(low[index % 3] as number, value);
      high[index % 3] = Math.max(high[index % 3] as number, value);
    });
    if (mesh.vertices.length > 0) {
      this.#low = low as unknown as Vector;
      this.#high = high as unknown as Vector;
    }
    this.#request();
  }

  /** The slice in view, as a frame around the surface; null for none. */
  setSlice(zMm: number | null): void {
    this.#sliceMm = zMm;
    this.#request();
  }

  turnBy(turn: number, tilt: number): void {
    this.#spinning = false;
    this.#turn += turn;
    this.#tilt = Math.min(Math.PI / 2, Math.max(-Math.PI / 2, this.#tilt + tilt));
    this.#request();
  }

  destroy(): void {
    this.#stop.abort();
    this.#resize.disconnect();
    this.#loop.stop();
  }

  #grab(event: PointerEvent): void {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#spinning = false;
  }

  #drag(event: PointerEvent): void {
    if (event.buttons !== 0) this.turnBy(event.movementX * PER_PIXEL, event.movementY * PER_PIXEL);
  }

  #key(event: KeyboardEvent): void {
    const turns: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-PER_KEY, 0],
      ArrowRight: [PER_KEY, 0],
      ArrowUp: [0, -PER_KEY],
      ArrowDown: [0, PER_KEY],
    };
    const turn = turns[event.key];
    if (!turn) return;
    event.preventDefault();
    event.stopPropagation();
    this.turnBy(...turn);
  }

  #request(): void {
    this.#loop.request();
  }

  #step(atMs: number): boolean {
    if (this.#spinning && this.#beforeMs !== null && atMs - this.#beforeMs < SPIN_EVERY_MS) {
      this.#request();
      return false;
    }
    if (this.#spinning) this.#turn += PER_MS * Math.min(100, atMs - (this.#beforeMs ?? atMs));
    this.#beforeMs = atMs;
    this.paint();
    if (this.#spinning && this.triangleCount > 0) this.#request();
    return true;
  }

  /** Draws the surface as it stands now. */
  paint(): void {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * ratio);
    const height = Math.round(this.#canvas.clientHeight * ratio);
    if (width === 0 || height === 0) return;
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    this.#context.fillStyle = BACKGROUND;
    this.#context.fillRect(0, 0, width, height);
    if (this.triangleCount === 0) return;
    const project = this.#projection(width, height);
    this.#drawFrame(project, ratio, false);
    this.#drawFaces(project);
    this.#drawFrame(project, ratio, true);
  }

  #projection(width: number, height: number): (point: Vector) => Vector {
    const centre = this.#low.map((value, axis) => (value + (this.#high[axis] as number)) / 2) as unknown as Vector;
    const diagonal = Math.hypot(...this.#low.map((value, axis) => (this.#high[axis] as number) - value));
    const scale = (0.9 * Math.min(width, height)) / Math.max(1, diagonal);
    const [turn, tilt] = [this.#turn, this.#tilt];
    return (point) => {
      const [x, y, z] = rotated([point[0] - centre[0], point[1] - centre[1], point[2] - centre[2]], turn, tilt);
      return [width / 2 + scale * x, height / 2 + scale * y, z];
    };
  }

  #drawFaces(project: (point: Vector) => Vector): void {
    const { vertices } = this.#mesh;
    const { normals, corners } = this.#faces;
    const seen = new Float32Array(vertices.length);
    for (let at = 0; at < vertices.length; at += 3) {
      seen.set(project([vertices[at] as number, vertices[at + 1] as number, vertices[at + 2] as number]), at);
    }
    const facing: { readonly first: number; readonly depth: number; readonly light: number }[] = [];
    for (let first = 0; first < corners.length; first += 3) {
      const normal = [normals[first] as number, normals[first + 1] as number, normals[first + 2] as number] as const;
      const towards = rotated(normal, this.#turn, this.#tilt)[2];
      if (towards <= 0) continue;
      const depth = [0, 1, 2].reduce(
        (sum, corner) => sum + (seen[3 * (corners[first + corner] as number) + 2] as number),
        0,
      );
      facing.push({ first, depth, light: AMBIENT + (1 - AMBIENT) * towards });
    }
    facing.sort((a, b) => a.depth - b.depth);
    const context = this.#context;
    for (const { first, light } of facing) {
      const colour = `rgb(${SURFACE.map((value) => Math.round(value * light)).join(",")})`;
      context.fillStyle = colour;
      context.strokeStyle = colour;
      context.beginPath();
      for (let corner = 0; corner < 3; corner += 1) {
        const at = 3 * (corners[first + corner] as number);
        context.lineTo(seen[at] as number, seen[at + 1] as number);
      }
      context.closePath();
      context.fill();
      context.stroke();
    }
  }

  /** The box around the surface; with `front` the edges and the slice's frame before it, else those behind. */
  #drawFrame(project: (point: Vector) => Vector, ratio: number, front: boolean): void {
    const context = this.#context;
    const corner = (x: number, y: number, z: number): Vector => [
      (x ? this.#high : this.#low)[0],
      (y ? this.#high : this.#low)[1],
      (z ? this.#high : this.#low)[2],
    ];
    context.lineWidth = ratio;
    context.strokeStyle = FRAME_COLOUR;
    context.beginPath();
    for (const [a, b] of BOX_EDGES) {
      const [from, to] = [corner(...a), corner(...b)];
      const [p, q] = [project(from), project(to)];
      if (p[2] + q[2] > 0 !== front) continue;
      context.moveTo(p[0], p[1]);
      context.lineTo(q[0], q[1]);
    }
    context.stroke();
    if (front || this.#sliceMm === null) return;
    const z = this.#sliceMm;
    if (z < this.#low[2] || z > this.#high[2]) return;
    context.strokeStyle = SLICE_COLOUR;
    context.beginPath();
    for (const [x, y] of [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ] as const) {
      const [px, py] = project([corner(x, y, 0)[0], corner(x, y, 0)[1], z]);
      context.lineTo(px, py);
    }
    context.closePath();
    context.stroke();
  }
}

type Corner = readonly [number, number, number];
const BOX_EDGES: readonly (readonly [Corner, Corner])[] = [0, 1].flatMap((a) =>
  [0, 1].flatMap((b): (readonly [Corner, Corner])[] => [
    [
      [0, a, b],
      [1, a, b],
    ],
    [
      [a, 0, b],
      [a, 1, b],
    ],
    [
      [a, b, 0],
      [a, b, 1],
    ],
  ]),
);
