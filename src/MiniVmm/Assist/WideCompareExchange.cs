using static Tmds.Linux.LibC;

namespace MiniVmm.Assist;

/// <summary>
/// LOCK CMPXCHG16B on the host, which .NET has no word for: a few bytes of code of our own, in a page that is made at the first
/// use.
/// </summary>
internal static unsafe class WideCompareExchange
{
    private const int PageBytes = 4096;
    private static readonly delegate* unmanaged<byte*, ulong*, ulong, ulong, void> Code = Make();

    /// <summary>Whether the host lets the program have such code.</summary>
    public static bool IsSupported => Code != null;

    /// <summary>Writes a value if another is found, atomically.</summary>
    /// <param name="at">Aligned to 16 bytes.</param>
    /// <param name="value">What to write.</param>
    /// <param name="expected">What is to be there.</param>
    /// <returns>What was there.</returns>
    public static UInt128 Exchange(byte* at, UInt128 value, UInt128 expected)
    {
        ulong* found = stackalloc ulong[] { (ulong)expected, (ulong)(expected >> 64) };
        Code(at, found, (ulong)value, (ulong)(value >> 64));
        return new(found[1], found[0]);
    }

    private static delegate* unmanaged<byte*, ulong*, ulong, ulong, void> Make()
    {
        ReadOnlySpan<byte> code =
        [
            0x53, // push rbx
            0x49, 0x89, 0xf0, // mov r8, rsi
            0x48, 0x89, 0xd3, // mov rbx, rdx; the upper half is in rcx
            0x49, 0x8b, 0x00, // mov rax, [r8]
            0x49, 0x8b, 0x50, 0x08, // mov rdx, [r8 + 8]
            0xf0, 0x48, 0x0f, 0xc7, 0x0f, // lock cmpxchg16b [rdi]
            0x49, 0x89, 0x00, // mov [r8], rax
            0x49, 0x89, 0x50, 0x08, // mov [r8 + 8], rdx
            0x5b, // pop rbx
            0xc3, // ret
        ];
        void* page = mmap(null, PageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return null;
        code.CopyTo(new Span<byte>(page, PageBytes));
        if (mprotect(page, PageBytes, PROT_READ | PROT_EXEC) == 0)
            return (delegate* unmanaged<byte*, ulong*, ulong, ulong, void>)page;
        _ = munmap(page, PageBytes);
        return null;
    }
}
