using System.Runtime.InteropServices;

namespace MiniVmm.Boot.Limine;

/// <summary>The features that MiniVmm answers, by the third word of a request's id.</summary>
internal enum LimineFeature : ulong
{
    LoaderInfo = 0xf550_38d8_e2a1_202f,
    CommandLine = 0x4b16_1536_e598_651e,
    FirmwareType = 0x8c2f_75d9_0bef_28a8,
    StackSize = 0x224e_f046_0a8e_8926,
    DirectMap = 0x48dc_f1cb_8ad2_b852,
    Framebuffer = 0x9d58_27dc_d881_dd75,
    PagingMode = 0x95c1_a0ed_ab09_44cb,
    Processors = 0x95a6_7b81_9a1b_857e,
    MemoryMap = 0x67cf_3d9d_378a_806f,
    EntryPoint = 0x13d8_6c03_5a1c_d3e1,
    KernelFile = 0xad97_e90e_83f1_ed67,
    Modules = 0x3e7e_2797_02be_32af,
    RootPointer = 0xc5e7_7b6b_397e_7b43,
    Date = 0x5027_46e1_84c0_88aa,
    KernelAddress = 0x71ba_7686_3cc5_5f63,
    KeepIommu = 0x8eba_abe5_1f49_0179,
}

/// <summary>
/// What an executable asks of a Limine loader: words on multiples of 8 anywhere in what is loaded, between two markers if it
/// has them (Limine boot protocol, "Requests Delimiters", "Base Revisions", "Features").
/// </summary>
/// <param name="BaseRevisionTag">Address of the base revision's three words, as linked; null for revision 0.</param>
/// <param name="All">The addresses of the requests, as linked, by their features; unknown features too.</param>
internal sealed record LimineRequests(ulong? BaseRevisionTag, IReadOnlyDictionary<LimineFeature, ulong> All)
{
    /// <summary>id, revision, pointer to the response.</summary>
    public const int RequestSize = 48;

    /// <summary>Where in a request the pointer is.</summary>
    public const int ResponseOffset = 40;

    private const int MostRequests = 128;

    private const ulong StartMarker = 0xf6b8_f4b3_9de7_d1ae;
    private const ulong EndMarker = 0xadc0_e053_1bb1_0d03;
    private const ulong BaseRevision = 0xf956_2b2d_5c95_a6c8;
    private const ulong Request = 0xc7b1_dd30_df4c_8b88;

    private static readonly ulong[] Firsts = [StartMarker, EndMarker, BaseRevision, Request];

    /// <summary>Looks for requests; null for an executable that has none, and no base revision either.</summary>
    /// <exception cref="BadInputException">One feature is asked for twice, or too many are.</exception>
    public static LimineRequests? Find(string name, ElfFile elf)
    {
        ulong? revision = null;
        Dictionary<LimineFeature, ulong> requests = [];
        foreach (ElfProgramHeader header in elf.ProgramHeaders.OrderBy(header => header.VirtualAddress))
        {
            if (header.Type != ElfSegmentType.Load)
                continue;
            ReadOnlySpan<byte> bytes = elf.Contents(header).Span;
            int skipped = (int)(-(long)header.VirtualAddress & 7);
            if (skipped >= bytes.Length)
                continue;
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes[skipped..]);
            ulong start = header.VirtualAddress + (ulong)skipped;
            for (int at = 0; words[at..].IndexOfAny(Firsts) is >= 0 and int found; at++)
            {
                at += found;
                ReadOnlySpan<ulong> rest = words[at..];
                ulong address = start + (ulong)at * sizeof(ulong);
                if (rest is [StartMarker, 0xfab9_1a69_40fc_b9cf, 0x785c_6ed0_15d3_e316, 0x181e_920a_7852_b9d9, ..])
                {
                    revision = null;
                    requests.Clear();
                }
                else if (rest is [EndMarker, 0x9572_709f_3176_4c62, ..])
                {
                    return Result();
                }
                else if (rest is [BaseRevision, 0x6a7b_3849_4453_6bdc, _, ..])
                {
                    revision = address;
                }
                else if (rest is [Request, 0x0a82_e883_a194_f07b, ulong feature, _, _, _, ..])
                {
                    if (!requests.TryAdd((LimineFeature)feature, address))
                        throw new BadInputException($"{name}: the Limine request 0x{feature:x} is there twice");
                    if (requests.Count > MostRequests)
                        throw new BadInputException($"{name}: more than {MostRequests} Limine requests");
                }
            }
        }

        return Result();

        LimineRequests? Result() => revision is null && requests.Count == 0 ? null : new(revision, requests);
    }
}
