/** A file that leaves the site: the person is asked first where the server would refuse. */
import { Anchor } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import type { MouseEvent, ReactNode } from "react";
import { isFresh } from "@/api/session";
import { Problem } from "./problem";

function fetchFile(address: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
}

export function ExportLink(props: { href: string; size?: "sm"; children: ReactNode }) {
  const { href, size = "md", children } = props;
  const take = useMutation({
    mutationFn: isFresh,
    onSuccess: (fresh) => {
      if (fresh) fetchFile(href);
    },
  });
  const follow = (event: MouseEvent): void => {
    event.preventDefault();
    take.mutate();
  };
  return (
    <>
      <Anchor href={href} download size={size} onClick={follow}>
        {children}
      </Anchor>
      <Problem error={take.error} />
    </>
  );
}
