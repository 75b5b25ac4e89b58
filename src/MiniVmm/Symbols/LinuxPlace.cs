using MiniVmm.Memory;

namespace MiniVmm.Symbols;

/// <summary>
/// Where a Linux kernel has put itself, by the text "Linux version …" in its memory: the symbol linux_banner says where it was linked, and what
/// moves a kernel moves it by whole 2 MiB (CONFIG_PHYSICAL_ALIGN, arch/x86/Kconfig). Where hex_asc is known, which lies far behind, it must be
/// where the text has it: another build's symbols are to name nothing.
/// </summary>
/// <param name="memory">The guest's.</param>
/// <param name="banner">The address of linux_banner as linked.</param>
/// <param name="text">What is there, or the beginning of it.</param>
/// <param name="digits">The address of hex_asc as linked (lib/hexdump.c); null where the file has none.</param>
internal sealed class LinuxPlace(GuestMemory memory, ulong banner, ReadOnlyMemory<byte> text, ulong? digits) : KernelInMemory(memory)
{
    private const ulong Alignment = 2 << 20;

    private ulong _shift;

    /// <summary>What all kernels' banners begin with.</summary>
    public static ReadOnlySpan<byte> AnyText => "Linux version "u8;

    /// <summary>Whether a banner is one of a kernel that may move.</summary>
    public static bool Moves(ulong banner) => banner is >= Kallsyms.FirstAddress and < Kallsyms.EndAddress;

    /// <summary>The address for which what lies there was linked; null outside of the kernel, and as long as its place is unknown.</summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">The guest-physical address behind it.</param>
    public ulong? LinkAddress(ulong linear, ulong? physical) =>
        InImage(linear, physical) is { } address ? address - _shift : null;

    protected override bool Find(ReadOnlySpan<byte> piece, ulong address)
    {
        for (int from = 0; piece[from..].IndexOf(text.Span) is >= 0 and var next; from++)
        {
            from += next;
            _shift = address + (uint)from - banner;
            if (_shift % Alignment == 0 && _shift < Kallsyms.EndAddress - Kallsyms.FirstAddress && HasDigits(piece, (ulong)from))
                return true;
        }

        return false;
    }

    private bool HasDigits(ReadOnlySpan<byte> piece, ulong textAt)
    {
        if (digits is not { } linked)
            return true;
        ulong at = unchecked(linked - banner + textAt);
        return at < (ulong)piece.Length && piece[(int)at..].StartsWith("0123456789abcdef"u8);
    }
}
