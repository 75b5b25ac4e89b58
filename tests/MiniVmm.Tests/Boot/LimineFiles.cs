using System.Buffers.Binary;

namespace MiniVmm.Tests.Boot;

/// <summary>Small executables of the Limine protocol: code in one page, requests in the next.</summary>
internal static class LimineFiles
{
    public const ulong Base = 0xffff_ffff_8000_0000;

    /// <summary>Where the words of <see cref="Elf"/> lie, as linked.</summary>
    public const ulong Words = Base + 0x1000;

    public static readonly ulong[] Start = [0xf6b8f4b39de7d1ae, 0xfab91a6940fcb9cf, 0x785c6ed015d3e316, 0x181e920a7852b9d9];
    public static readonly ulong[] End = [0xadc0e0531bb10d03, 0x9572709f31764c62];

    public const ulong Map = 0x67cf3d9d378a806f, DirectMap = 0x48dcf1cb8ad2b852, Processors = 0x95a67b819a1b857e,
        Modules = 0x3e7e279702be32af, Rsdp = 0xc5e77b6b397e7b43, Entry = 0x13d86c035a1cd3e1, Stack = 0x224ef0460a8e8926,
        Address = 0x71ba76863cc55f63, OwnFile = 0xad97e90e83f1ed67, Framebuffer = 0x9d5827dcd881dd75, Paging = 0x95c1a0edab0944cb,
        Line = 0x4b161536e598651e, Loader = 0xf55038d8e2a1202f, Date = 0x502746e184c088aa;

    public static ulong[] Revision(ulong number) => [0xf9562b2d5c95a6c8, 0x6a7b384944536bdc, number];

    /// <summary>A request: 48 bytes, and the fields behind them.</summary>
    public static ulong[] Request(ulong feature, ulong revision = 0, params ulong[] more) =>
        [0xc7b1dd30df4c8b88, 0x0a82e883a194f07b, feature, 1, revision, 0, .. more];

    public static ElfBuilder Elf(params ulong[][] words) => At(Base, words);

    public static ElfBuilder At(ulong start, params ulong[][] words)
    {
        byte[] bytes = new byte[words.Sum(part => part.Length) * 8];
        int at = 0;
        foreach (ulong word in words.SelectMany(part => part))
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 * at++), word);
        return new ElfBuilder(true) { Entry = start }
            .With(new ElfBuilder.Segment(1, start, 0x100000, [0xf4, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90], 8) { Flags = 5 })
            .With(new ElfBuilder.Segment(1, start + 0x1000, 0x101000, bytes, (ulong)bytes.Length + 0x1800) { Flags = 6 });
    }
}
