/**
 * Does the work, and clears up behind it, however it ended. Where it failed that failure is the one to tell: a disk that is full or broken
 * often hinders the clearing up too.
 */
export async function withCleanUp<T>(work: () => Promise<T>, cleanUp: () => void): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    cleanUpAfterFailure(cleanUp);
    throw error;
  }
  cleanUp();
  return result;
}

/** Before a failure is thrown on. */
export function cleanUpAfterFailure(cleanUp: () => void): void {
  try {
    cleanUp();
  } catch {
    // the failure that led here is the one to tell
  }
}
