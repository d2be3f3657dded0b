/** Ordinary links to our own pages change the page without loading it anew. */

/** The address of a click that the router can serve, or null: another site, a file, a new tab. */
export function ownAddress(event: MouseEvent, origin: string): string | null {
  if (event.defaultPrevented || event.button !== 0) return null;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return null;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link?.href || link.target || link.hasAttribute("download")) return null;
  const url = new URL(link.href);
  if (url.origin !== origin || url.pathname.startsWith("/api/")) return null;
  return url.pathname + url.search + url.hash;
}

export function followLinks(navigate: (address: string) => void): void {
  document.addEventListener("click", (event) => {
    const address = ownAddress(event, window.location.origin);
    if (address === null) return;
    event.preventDefault();
    navigate(address);
  });
}
