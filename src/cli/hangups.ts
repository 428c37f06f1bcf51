import type { ConfigSource } from "../daemon/config-follower.ts";
import type { CliContext } from "./context.ts";

/**
 * Takes SIGHUP from now on, for a reload. One that comes before there is anybody to do it is kept for whoever comes; one that comes after nobody does it
 * any more asks for nothing.
 */
export function hangups(context: Pick<CliContext, "onHangup">): ConfigSource["onAsked"] {
  let onAsked: (() => void) | undefined;
  let isWaiting = false;
  context.onHangup(() => {
    if (onAsked === undefined) isWaiting = true;
    else onAsked();
  });
  return (ask) => {
    onAsked = ask;
    if (isWaiting) ask();
    isWaiting = false;
    return () => {
      onAsked = undefined;
    };
  };
}
