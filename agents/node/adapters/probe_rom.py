"""A firmware image of 64 KiB that tests an accelerator: real, protected and long mode, SSE2, cpuid, a long loop.

It ends QEMU through the isa-debug-exit device. Where KVM exists but cannot run guests, QEMU aborts, the guest dies, or
every instruction is emulated and the loop does not end in time.
"""

SIZE = 2**16
EXIT_STATUS = 33  # isa-debug-exit turns the byte 0x10 into 0x10 * 2 + 1

# Assembled from the instructions on the right; the code runs at 0xF0000.
CODE = bytes.fromhex(
    # 16 bits: the reset vector jumps here
    "fa"  # cli
    "31c0 8ed8"  # xor ax, ax; mov ds, ax
    "66c7060010 03200000"  # mov dword [0x1000], 0x2003: the page map's only entry leads to
    "66c7060020 03300000"  # mov dword [0x2000], 0x3003: a table whose only entry leads to
    "66c7060030 83000000"  # mov dword [0x3000], 0x0083: a page of 2 MiB at address 0
    "2e660f0116 b000"  # lgdt cs:[0xb0]
    "66b800100000 0f22d8"  # mov eax, 0x1000; mov cr3, eax
    "66b820060000 0f22e0"  # mov eax, 0x620; mov cr4, eax: PAE, and SSE allowed
    "66b9800000c0 0f32"  # mov ecx, 0xc0000080; rdmsr: EFER
    "660d00010000 0f30"  # or eax, 0x100; wrmsr: long mode
    "66b811000080 0f22c0"  # mov eax, 0x80000011; mov cr0, eax: paging, protection
    "66ea5a000f00 0800"  # jmp 8:0xf005a
    # 64 bits
    "b810000000 8ed0"  # mov eax, 16; mov ss, eax
    "bc00800000"  # mov esp, 0x8000
    "6834120000 5a"  # push 0x1234; pop rdx
    "66480f6ec2"  # movq xmm0, rdx
    "660fd4c0"  # paddq xmm0, xmm0
    "66480f7ec2"  # movq rdx, xmm0
    "81fa68240000 7511"  # cmp edx, 0x2468; jne halt
    "31c0 0fa2"  # xor eax, eax; cpuid
    "b900e1f505"  # mov ecx, 100000000
    "ffc9 75fc"  # dec ecx; jnz (to the dec)
    "b010 e6f4"  # mov al, 0x10; out 0xf4, al: ends QEMU
    "f4 ebfd"  # halt: hlt; jmp halt
    "6690"  # to a multiple of 8
    # the descriptor table, and at 0xb0 its length and address
    "0000000000000000 00000000009a2000 0000000000920000"
    "1700 98000f00"
)
RESET_VECTOR = SIZE - 16


def build() -> bytes:
    rom = bytearray(SIZE)
    rom[: len(CODE)] = CODE
    jump = bytes.fromhex("ea 0000 00f0")  # jmp 0xf000:0
    rom[RESET_VECTOR : RESET_VECTOR + len(jump)] = jump
    return bytes(rom)
