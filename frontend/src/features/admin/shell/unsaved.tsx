/** Whether the page below the state line holds a draft of the protocol that is not stored: what is locked is the stored one. */
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";

interface Unsaved {
  readonly unsaved: boolean;
  readonly tell: (unsaved: boolean) => void;
}

const Context = createContext<Unsaved>({ unsaved: false, tell: () => {} });

export function UnsavedProvider({ children }: { children: ReactNode }) {
  const [unsaved, tell] = useState(false);
  return <Context.Provider value={useMemo(() => ({ unsaved, tell }), [unsaved])}>{children}</Context.Provider>;
}

export const useUnsaved = (): boolean => useContext(Context).unsaved;

/** Tell the state line, for as long as the page is there. */
export function useTellUnsaved(unsaved: boolean): void {
  const { tell } = useContext(Context);
  useEffect(() => {
    tell(unsaved);
    return () => tell(false);
  }, [tell, unsaved]);
}
