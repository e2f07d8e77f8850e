/*
 * WebAssembly whose loads outside its memory are found by SIGSEGV, while other
 * code is made, thrown away and made again.
 */
const bytes = Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // \0asm, version 1
    1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, // type 0: i32 to i32
    3, 2, 1, 0,                      // one function, of type 0
    5, 3, 1, 0, 1,                   // a memory of one page
    7, 8, 1, 4, 0x70, 0x65, 0x65, 0x6b, 0, 0, // export "peek"
    10, 9, 1, 7, 0, 0x20, 0, 0x28, 2, 0, 0xb); // i32.load of the argument

const { peek } = new WebAssembly.Instance(
    new WebAssembly.Module(bytes)).exports;

let trapped = 0, read = 0;
for (let i = 0; i < 30000; i++) {
    try {
        read += peek(i % 4 === 0 ? 65536 + i : i % 64) + 1;
    } catch (error) {
        trapped += error instanceof WebAssembly.RuntimeError;
    }
}
let sum = 0;
for (let i = 0; i < 300; i++) {
    const made = new Function("n", `let s = ${i}; while (n--) s += n % 7;
        return s;`);
    sum += made(1000);
}
function deeper(depth) {
    return deeper(depth + 1) + 1;
}
for (let i = 0; i < 20; i++) {
    try {
        deeper(0);
    } catch (error) {
        sum += error instanceof RangeError;
    }
}
console.log(read, trapped, sum);
