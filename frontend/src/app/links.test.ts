import { expect, test } from "vitest";
import { ownAddress } from "./links";

const ORIGIN = "https://trial.example.org";

function clickOn(html: string, init: MouseEventInit = {}): string | null {
  const box = document.createElement("div");
  box.innerHTML = html;
  document.body.append(box);
  let address: string | null = null;
  box.addEventListener("click", (event) => {
    address = ownAddress(event, ORIGIN);
    event.preventDefault();
  });
  box
    .querySelector("[data-here]")
    ?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...init }));
  box.remove();
  return address;
}

test("links to our own pages are followed in the page, wherever in them one clicks", () => {
  expect(clickOn(`<a href="${ORIGIN}/trials/1/cases?x=1"><b data-here>Cases</b></a>`)).toBe("/trials/1/cases?x=1");
});

test("files, other sites, new tabs and the server's addresses are left to the browser", () => {
  expect(clickOn(`<a data-here href="${ORIGIN}/x.csv" download>CSV</a>`)).toBeNull();
  expect(clickOn(`<a data-here href="https://elsewhere.org/">Out</a>`)).toBeNull();
  expect(clickOn(`<a data-here href="${ORIGIN}/trials" target="_blank">New</a>`)).toBeNull();
  expect(clickOn(`<a data-here href="${ORIGIN}/api/v1/trials">Raw</a>`)).toBeNull();
  expect(clickOn(`<a data-here href="${ORIGIN}/trials">New tab</a>`, { ctrlKey: true })).toBeNull();
});
