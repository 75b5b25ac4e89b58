using System.Buffers.Binary;

namespace MiniVmm.Tests.Boot;

/// <summary>Multiboot 2 headers and small files that carry one.</summary>
internal static class Multiboot2Files
{
    public const ushort Optional = 1;

    /// <summary>A tag with its padding; the size is that of its fields unless a test says otherwise.</summary>
    public static byte[] Tag(ushort type, params uint[] fields) => RawTag(type, 0, null, fields);

    public static byte[] RawTag(ushort type, ushort flags, uint? size, params uint[] fields)
    {
        byte[] tag = new byte[(8 + fields.Length * 4 + 7) & -8];
        BinaryPrimitives.WriteUInt16LittleEndian(tag, type);
        BinaryPrimitives.WriteUInt16LittleEndian(tag.AsSpan(2), flags);
        BinaryPrimitives.WriteUInt32LittleEndian(tag.AsSpan(4), size ?? 8 + (uint)fields.Length * 4);
        for (int i = 0; i < fields.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(tag.AsSpan(8 + i * 4), fields[i]);
        return tag;
    }

    public static byte[] Header(params byte[][] tags) => HeaderFor(architecture: 0, tags);

    public static byte[] HeaderFor(uint architecture, params byte[][] tags)
    {
        byte[] bytes = [.. new byte[16], .. tags.SelectMany(tag => tag), .. Tag(0)];
        uint[] words = [0xe85250d6, architecture, (uint)bytes.Length, 0];
        words[3] = unchecked(0u - words[0] - words[1] - words[2]);
        for (int i = 0; i < 4; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i * 4), words[i]);
        return bytes;
    }

    /// <summary>An ELF kernel at 1 MiB whose text is the header and then some code, entered there.</summary>
    public static ElfBuilder Elf(bool is64 = false, params byte[][] tags)
    {
        byte[] header = Header(tags);
        // An ELF32 file with one program header has its contents at 84, an ELF64 file at 120.
        int padding = is64 ? 0 : 4;
        ElfBuilder builder = new(is64) { Entry = (ulong)(0x100000 + padding + header.Length) };
        return builder.With(0x100000, [.. new byte[padding], .. header, 0xfa, 0xf4, 0xeb, 0xfd], memorySize: 0x3000);
    }

    /// <summary>A flat file: 16 bytes ahead, the header, then code, to be loaded at 2 MiB.</summary>
    public static byte[] Flat(
        uint loadEnd = 0, uint bssEnd = 0, uint? headerAddress = null, uint? load = null, uint? entry = null,
        params byte[][] tags)
    {
        const uint ahead = 16;
        const uint at = 0x200000;
        byte[] addresses = Tag(2, headerAddress ?? at + ahead, load ?? at, loadEnd, bssEnd);
        byte[] header = Header([addresses, Tag(3, entry ?? at), .. tags]);
        return [.. new byte[ahead], .. header, .. "code"u8];
    }
}
