/** Does `then` once `pending` is over: at once where there is nothing to wait for, so that small work stays synchronous. */
export function afterwards(pending: Promise<void> | undefined, then: () => void): Promise<void> | undefined {
  if (pending) return pending.then(then);
  then();
  return undefined;
}
