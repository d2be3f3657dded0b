/** The row below the question: what the task puts there, or for a moment a list of reasons, the comment, a notice. */
import type { ReactNode } from "react";
import { messages } from "@/lib/messages";
import type { ReadingController } from "../controller";
import type { ReadingState } from "../state";
import { CommentDrawer, FeedbackDrawer, NoticeDrawer, ReasonsDrawer, SignInDrawer } from "./drawers";

const text = messages.reading;

export function SecondRow(props: { state: ReadingState; controller: ReadingController; children?: ReactNode }) {
  const { state, controller } = props;
  if (state.save === "sign-in" || state.save === "other-account") return <SignInDrawer {...props} />;
  if (state.save === "refused") {
    return <NoticeDrawer notice={text.refused(state.message)} onRetry={() => controller.retry()} />;
  }
  if (state.save === "waiting" && state.stage !== "reading") return <NoticeDrawer notice={text.waitingLong} />;
  if (state.stage === "feedback") return <FeedbackDrawer {...props} />;
  if (state.drawer === "reasons") return <ReasonsDrawer {...props} />;
  if (state.drawer === "comment") return <CommentDrawer {...props} />;
  return props.children;
}
