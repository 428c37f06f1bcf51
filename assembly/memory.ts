// The whole memory, carved once (initial = maximum, so views on it never detach). Nothing is allocated after
// start and nothing is zeroed: a region costs memory only once it is used.
//
//   0          4 KiB   AssemblyScript's own data (STATIC_END)
//   4 KiB     16 KiB   LZ4_TABLE       u16 positions, cleared per page
//              8 KiB   PGNOS           u32 x 2048  \
//             16 KiB   OLD_CHECKSUMS   u64 x 2048   } columns of one batch of pages
//             16 KiB   NEW_CHECKSUMS   u64 x 2048  /
//             40 KiB   INDEX           page index entries of the batch
//           1024 KiB   INPUT           16 x (65536 + 24), then slack
//            256 KiB   OUTPUT          then slack
//            512 KiB   ROWS            65536 x (pgno, ordinal), the page map's result
//           1024 KiB   PAGE_MAP        2^17 slots x 8 bytes
//               64     SCAN            the state of a scan of a log
//
// Slack: kernels copy in steps of 16 bytes and may run over the end of what they were asked for, never over the slack.
import { STATIC_END } from "../src/wasm/layout";
export * from "../src/wasm/layout";

assert(__heap_base <= <usize>STATIC_END);
