using System.Buffers.Binary;

namespace MiniVmm.Tests.Boot;

/// <summary>Multiboot headers and small files that carry one.</summary>
internal static class MultibootFiles
{
    public const uint PageAlignAndMemory = 3;
    public const uint HasAddresses = 1 << 16;

    public static byte[] Header(uint flags, params uint[] more)
    {
        uint[] words = [0x1badb002, flags, unchecked(0u - 0x1badb002 - flags), .. more];
        byte[] bytes = new byte[words.Length * 4];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), words[i]);
        return bytes;
    }

    /// <summary>An ELF kernel at 1 MiB whose text starts with the header and goes on with some code bytes.</summary>
    public static ElfBuilder Elf(bool is64 = false, uint flags = PageAlignAndMemory)
    {
        ElfBuilder builder = new(is64) { Entry = 0x10000c };
        return builder.With(0x100000, [.. Header(flags), 0xfa, 0xf4, 0xeb, 0xfd], memorySize: 0x3000);
    }

    /// <summary>A flat file: some bytes ahead, the header, then code, to be loaded at 2 MiB.</summary>
    /// <remarks>With a video mode if there is one: type, width, height, depth.</remarks>
    public static byte[] Flat(
        uint loadEnd = 0, uint bssEnd = 0, uint? headerAddress = null, uint? entry = null, uint[]? video = null)
    {
        const uint wantsVideo = 4;
        const uint ahead = 16;
        const uint at = 0x200000;
        byte[] header = Header(
            PageAlignAndMemory | HasAddresses | (video is null ? 0 : wantsVideo),
            [headerAddress ?? at + ahead, at, loadEnd, bssEnd, entry ?? at + (video is null ? 48u : 64u), .. video ?? []]);
        return [.. new byte[ahead], .. header, .. "code"u8];
    }
}
