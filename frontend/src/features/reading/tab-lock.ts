/**
 * One tab reads at a time. The browser's own locks decide where they exist; the lease that the server raises at every
 * opening decides in any case.
 */

export interface TabLock {
  /** Resolves true when this tab holds the lock; false when another holds it. */
  take(options: { steal: boolean }): Promise<boolean>;
  release(): void;
}

type Locks = Pick<LockManager, "request">;

export function tabLock(name: string, onLost: () => void, locks: Locks | null | undefined = navigator.locks): TabLock {
  let releaseHeld: (() => void) | null = null;

  const take = (options: { steal: boolean }): Promise<boolean> => {
    if (!locks) return Promise.resolve(true);
    if (releaseHeld) return Promise.resolve(true);
    return new Promise((resolve) => {
      const mode = options.steal ? { steal: true } : { ifAvailable: true };
      const request = locks.request(name, mode, (lock) => {
        if (!lock) {
          resolve(false);
          return undefined;
        }
        const held = new Promise<void>((release) => {
          releaseHeld = release;
        });
        resolve(true);
        return held;
      });
      request.catch(() => {
        // Another tab has taken the lock away.
        releaseHeld = null;
        onLost();
      });
    });
  };

  const release = (): void => {
    releaseHeld?.();
    releaseHeld = null;
  };

  return { take, release };
}

/** Held by the tab in which an account reads for a trial. */
export function readingLock(account: string, trial: string, onLost: () => void = () => undefined): TabLock {
  return tabLock(`equipoise:reading:${account}:${trial}`, onLost);
}
