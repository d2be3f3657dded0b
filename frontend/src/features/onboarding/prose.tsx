/** Markdown of the protocol as React elements: no HTML of the text ever reaches the page. Loaded when first needed. */
import Markdown from "react-markdown";

export default function Prose({ source }: { source: string }) {
  return (
    <div className="eq-prose">
      <Markdown
        skipHtml
        disallowedElements={["img"]}
        components={{
          a: ({ href, children }) => (
            <a href={href} target="_blank" rel="noreferrer noopener">
              {children}
            </a>
          ),
        }}
      >
        {source}
      </Markdown>
    </div>
  );
}
