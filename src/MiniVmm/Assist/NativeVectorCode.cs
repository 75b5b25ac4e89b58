using System.Runtime.InteropServices;
using MiniVmm.Kvm;
using static Tmds.Linux.LibC;

namespace MiniVmm.Assist;

/// <summary>
/// Executes vector instructions of a guest on the host's processor: code of our own loads the guest's registers and state,
/// executes the instruction on a buffer, and stores them. One for each vCPU's thread.
/// </summary>
internal sealed unsafe class NativeVectorCode
{
    /// <summary>Most bytes of a memory operand.</summary>
    public const int OperandBytes = 64;

    /// <summary>Most bytes of an XSAVE image.</summary>
    public const int ImageBytes = 4096;

    private const int PlaceBytes = 512;
    private const int Places = 32;
    private const int MostCode = 15;
    private readonly byte* _code; // a place for each of some instructions
    private readonly Frame* _frame;
    private readonly byte[] _keys = new byte[Places * (MostCode + 1)];

    public NativeVectorCode()
    {
        void* code = mmap(null, Places * PlaceBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        _code = code == MAP_FAILED ? null : (byte*)code;
        _frame = (Frame*)NativeMemory.AlignedAlloc((nuint)sizeof(Frame), 64);
        *_frame = default;
        _frame->ImageAt = _frame->Image;
        _frame->OwnAt = _frame->Own;
    }

    ~NativeVectorCode()
    {
        if (_code != null)
            _ = munmap(_code, Places * PlaceBytes);
        NativeMemory.AlignedFree(_frame);
    }

    /// <summary>Whether the host lets the program have such code.</summary>
    public bool IsSupported => _code != null;

    /// <summary>The bytes of the memory operand, aligned to their size.</summary>
    public Span<byte> Operand => new(_frame->Operand, OperandBytes);

    /// <summary>The host's address of <see cref="Operand"/>.</summary>
    public ulong OperandAddress => (ulong)_frame->Operand;

    /// <summary>The state before the instruction, and behind it, in XSAVE's standard format.</summary>
    public Span<byte> Image => new(_frame->Image, ImageBytes);

    /// <summary>Executes.</summary>
    /// <param name="code">One instruction, which the caller has found harmless.</param>
    /// <param name="registers">General registers, of which RSP does not count, and RFLAGS.</param>
    /// <param name="components">Of the state.</param>
    /// <returns>False where the host does not let the program have such code.</returns>
    public bool TryExecute(ReadOnlySpan<byte> code, ref kvm_regs registers, ulong components)
    {
        byte* place = Place(code);
        if (place == null)
            return false;
        ulong flags = registers.rflags;
        _frame->Registers = registers;
        _frame->Registers.rflags = flags & Rflags.Status | 2;
        _frame->Components = components;
        ((delegate* unmanaged<Frame*, void>)place)(_frame);
        ulong rip = registers.rip, rsp = registers.rsp;
        registers = _frame->Registers;
        (registers.rip, registers.rsp) = (rip, rsp);
        registers.rflags = flags & ~Rflags.Status | _frame->Registers.rflags & Rflags.Status;
        return true;
    }

    /// <summary>Where an instruction's code is, or is put in the place of an older one.</summary>
    private byte* Place(ReadOnlySpan<byte> code)
    {
        uint hash = (uint)code.Length;
        foreach (byte value in code)
            hash = hash * 31 + value;
        int number = (int)(hash * 0x9e37_79b1u >> 27);
        byte* place = _code + number * PlaceBytes;
        Span<byte> key = _keys.AsSpan(number * (MostCode + 1), MostCode + 1);
        if (key[0] == code.Length && key.Slice(1, code.Length).SequenceEqual(code))
            return place;
        key[0] = 0;
        if (mprotect(_code, Places * PlaceBytes, PROT_READ | PROT_WRITE) != 0)
            return null;
        Span<byte> room = new(place, PlaceBytes);
        Before.CopyTo(room);
        code.CopyTo(room[Before.Length..]);
        After.CopyTo(room[(Before.Length + code.Length)..]);
        if (mprotect(_code, Places * PlaceBytes, PROT_READ | PROT_EXEC) != 0)
            return null;
        code.CopyTo(key[1..]);
        key[0] = (byte)code.Length;
        return place;
    }

    private static ReadOnlySpan<byte> Before =>
    [
        0x53, // push rbx
        0x55, // push rbp
        0x41, 0x54, // push r12
        0x41, 0x55, // push r13
        0x41, 0x56, // push r14
        0x41, 0x57, // push r15
        0x57, // push rdi
        0x8b, 0x87, 0xa0, 0x00, 0x00, 0x00, // mov eax, [rdi+0xa0]
        0x8b, 0x97, 0xa4, 0x00, 0x00, 0x00, // mov edx, [rdi+0xa4]
        0x48, 0x8b, 0x8f, 0x98, 0x00, 0x00, 0x00, // mov rcx, [rdi+0x98]
        0x48, 0x0f, 0xae, 0x21, // xsave64 [rcx]
        0x48, 0x8b, 0x8f, 0x90, 0x00, 0x00, 0x00, // mov rcx, [rdi+0x90]
        0x48, 0x0f, 0xae, 0x29, // xrstor64 [rcx]
        0xff, 0xb7, 0x88, 0x00, 0x00, 0x00, // push [rdi+0x88]
        0x9d, // popf
        0x48, 0x8b, 0x07, // mov rax, [rdi]
        0x48, 0x8b, 0x5f, 0x08, // mov rbx, [rdi+0x8]
        0x48, 0x8b, 0x4f, 0x10, // mov rcx, [rdi+0x10]
        0x48, 0x8b, 0x57, 0x18, // mov rdx, [rdi+0x18]
        0x48, 0x8b, 0x77, 0x20, // mov rsi, [rdi+0x20]
        0x48, 0x8b, 0x6f, 0x38, // mov rbp, [rdi+0x38]
        0x4c, 0x8b, 0x47, 0x40, // mov r8, [rdi+0x40]
        0x4c, 0x8b, 0x4f, 0x48, // mov r9, [rdi+0x48]
        0x4c, 0x8b, 0x57, 0x50, // mov r10, [rdi+0x50]
        0x4c, 0x8b, 0x5f, 0x58, // mov r11, [rdi+0x58]
        0x4c, 0x8b, 0x67, 0x60, // mov r12, [rdi+0x60]
        0x4c, 0x8b, 0x6f, 0x68, // mov r13, [rdi+0x68]
        0x4c, 0x8b, 0x77, 0x70, // mov r14, [rdi+0x70]
        0x4c, 0x8b, 0x7f, 0x78, // mov r15, [rdi+0x78]
        0x48, 0x8b, 0x7f, 0x28, // mov rdi, [rdi+0x28]
    ];

    private static ReadOnlySpan<byte> After =>
    [
        0x57, // push rdi
        0x48, 0x8b, 0x7c, 0x24, 0x08, // mov rdi, [rsp+0x8]
        0x48, 0x89, 0x07, // mov [rdi], rax
        0x48, 0x89, 0x5f, 0x08, // mov [rdi+0x8], rbx
        0x48, 0x89, 0x4f, 0x10, // mov [rdi+0x10], rcx
        0x48, 0x89, 0x57, 0x18, // mov [rdi+0x18], rdx
        0x48, 0x89, 0x77, 0x20, // mov [rdi+0x20], rsi
        0x48, 0x89, 0x6f, 0x38, // mov [rdi+0x38], rbp
        0x4c, 0x89, 0x47, 0x40, // mov [rdi+0x40], r8
        0x4c, 0x89, 0x4f, 0x48, // mov [rdi+0x48], r9
        0x4c, 0x89, 0x57, 0x50, // mov [rdi+0x50], r10
        0x4c, 0x89, 0x5f, 0x58, // mov [rdi+0x58], r11
        0x4c, 0x89, 0x67, 0x60, // mov [rdi+0x60], r12
        0x4c, 0x89, 0x6f, 0x68, // mov [rdi+0x68], r13
        0x4c, 0x89, 0x77, 0x70, // mov [rdi+0x70], r14
        0x4c, 0x89, 0x7f, 0x78, // mov [rdi+0x78], r15
        0x58, // pop rax
        0x48, 0x89, 0x47, 0x28, // mov [rdi+0x28], rax
        0x9c, // pushf
        0x58, // pop rax
        0x48, 0x89, 0x87, 0x88, 0x00, 0x00, 0x00, // mov [rdi+0x88], rax
        0x8b, 0x87, 0xa0, 0x00, 0x00, 0x00, // mov eax, [rdi+0xa0]
        0x8b, 0x97, 0xa4, 0x00, 0x00, 0x00, // mov edx, [rdi+0xa4]
        0x48, 0x8b, 0x8f, 0x90, 0x00, 0x00, 0x00, // mov rcx, [rdi+0x90]
        0x48, 0x0f, 0xae, 0x21, // xsave64 [rcx]
        0x48, 0x8b, 0x8f, 0x98, 0x00, 0x00, 0x00, // mov rcx, [rdi+0x98]
        0x48, 0x0f, 0xae, 0x29, // xrstor64 [rcx]
        0xfc, // cld
        0x5f, // pop rdi
        0x41, 0x5f, // pop r15
        0x41, 0x5e, // pop r14
        0x41, 0x5d, // pop r13
        0x41, 0x5c, // pop r12
        0x5d, // pop rbp
        0x5b, // pop rbx
        0xc3, // ret
    ];

    /// <summary>What the code finds by RDI: offsets 0x88, 0x90, 0x98 and 0xa0 are in its bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Frame
    {
        public kvm_regs Registers;
        public byte* ImageAt;
        public byte* OwnAt;
        public ulong Components;
        public fixed byte Rest[24];
        public fixed byte Operand[OperandBytes];
        public fixed byte Image[ImageBytes];
        public fixed byte Own[ImageBytes];
    }
}
