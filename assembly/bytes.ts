// Big-endian integers. Addresses are absolute; callers have checked the bounds.

// @ts-ignore: decorator
@inline
export function loadU32BE(at: usize): u32 {
  return bswap<u32>(load<u32>(at));
}

// @ts-ignore: decorator
@inline
export function storeU32BE(at: usize, value: u32): void {
  store<u32>(at, bswap<u32>(value));
}

// @ts-ignore: decorator
@inline
export function loadU16BE(at: usize): u32 {
  return <u32>bswap<u16>(load<u16>(at));
}

// @ts-ignore: decorator
@inline
export function storeU16BE(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value));
}
