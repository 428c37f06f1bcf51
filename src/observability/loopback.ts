import { isIPv4 } from "node:net";

/** Whether a name or address, as it stands in a URL or not, means this machine and can be reached from no other. */
export function isLoopback(name: string): boolean {
  if (name === "localhost" || name === "::1" || name === "[::1]") return true;
  return isIPv4(name) && name.startsWith("127.");
}
