using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Ide;

/// <summary>Operation codes of packets (MMC-3, 6).</summary>
internal static class ScsiCommand
{
    public const byte TestUnitReady = 0x00;
    public const byte RequestSense = 0x03;
    public const byte Inquiry = 0x12;
    public const byte StartStop = 0x1b;
    public const byte PreventRemoval = 0x1e;
    public const byte ReadCapacity = 0x25;
    public const byte Read10 = 0x28;
    public const byte Seek = 0x2b;
    public const byte ReadSubchannel = 0x42;
    public const byte ReadToc = 0x43;
    public const byte GetConfiguration = 0x46;
    public const byte GetEvent = 0x4a;
    public const byte ReadDiscInformation = 0x51;
    public const byte ModeSense10 = 0x5a;
    public const byte Read12 = 0xa8;
    public const byte SetSpeed = 0xbb;
    public const byte MechanismStatus = 0xbd;
    public const byte ReadCd = 0xbe;
}

/// <summary>Why a packet was refused (SPC-2, 7.20).</summary>
/// <param name="Key">Sense key.</param>
/// <param name="Code">Additional sense code.</param>
internal readonly record struct ScsiSense(byte Key, byte Code)
{
    public static ScsiSense Unreadable => new(3, 0x11);

    public static ScsiSense NoSuchCommand => new(5, 0x20);

    public static ScsiSense OutOfRange => new(5, 0x21);

    public static ScsiSense NoSuchField => new(5, 0x24);

    public static ScsiSense Aborted => new(0xb, 0);
}

/// <summary>Answers of a CD-ROM drive to packets that read nothing of the disc. Pure.</summary>
internal static class ScsiAnswer
{
    public const int NoSuchCommand = -1;
    public const int NoSuchField = -2;

    private const int FramesPerSecond = 75;
    private const int PregapFrames = 150;
    private const byte DataTrack = 0x14; // ADR 1, data
    private const byte LeadOut = 0xaa;
    private const ushort CdProfile = 0x08;

    /// <summary>Writes an answer.</summary>
    /// <param name="packet">12 bytes.</param>
    /// <param name="sectors">Of the disc.</param>
    /// <param name="sense">Why the packet before was refused.</param>
    /// <param name="answer">Room for it, at least 4 KiB.</param>
    /// <param name="limit">Most bytes that the guest wants.</param>
    /// <returns>Bytes of it, or one of the negative numbers above.</returns>
    public static int Write(ReadOnlySpan<byte> packet, ulong sectors, ScsiSense sense, Span<byte> answer, out int limit)
    {
        answer[..256].Clear();
        limit = packet[0] switch
        {
            ScsiCommand.RequestSense or ScsiCommand.Inquiry => packet[4],
            ScsiCommand.ReadCapacity => 8,
            _ => BinaryPrimitives.ReadUInt16BigEndian(packet[(packet[0] == ScsiCommand.MechanismStatus ? 8 : 7)..]),
        };
        uint last = (uint)Math.Min(sectors - 1, uint.MaxValue);
        switch (packet[0])
        {
            case ScsiCommand.RequestSense:
                (answer[0], answer[2], answer[7], answer[12]) = (0x70, sense.Key, 10, sense.Code);
                return 18;
            case ScsiCommand.Inquiry when (packet[1] & 3) == 0:
                (answer[0], answer[1], answer[3], answer[4]) = (0x05, 0x80, 0x21, 31); // CD-ROM, removable, ATAPI
                Text(answer[8..], "MiniVmm ");
                Text(answer[16..], "CD-ROM          ");
                Text(answer[32..], "1.0 ");
                return 36;
            case ScsiCommand.ReadCapacity:
                BinaryPrimitives.WriteUInt32BigEndian(answer, last);
                BinaryPrimitives.WriteUInt32BigEndian(answer[4..], AtapiCd.SectorSize);
                return 8;
            case ScsiCommand.ReadToc:
                return TableOfContents(packet, last, answer);
            case ScsiCommand.GetConfiguration:
                return Configuration(answer);
            case ScsiCommand.GetEvent when (packet[1] & 1) != 0:
                // Of the media class: nothing new, a disc is in.
                (answer[1], answer[2], answer[3], answer[5]) = (6, 0x04, 0x10, 0x02);
                return 8;
            case ScsiCommand.ReadDiscInformation when (packet[1] & 7) == 0:
                (answer[1], answer[2], answer[3], answer[4], answer[5], answer[6]) = (32, 0x0e, 1, 1, 1, 1);
                return 34;
            case ScsiCommand.ReadSubchannel:
                answer[1] = 0x15; // no audio
                return 4;
            case ScsiCommand.ModeSense10:
                return Mode(packet[2], answer);
            case ScsiCommand.MechanismStatus:
                answer[5] = 1;
                return 8;
            case ScsiCommand.Inquiry or ScsiCommand.GetEvent or ScsiCommand.ReadDiscInformation:
                return NoSuchField;
            default:
                return NoSuchCommand;
        }
    }

    /// <summary>One track of data, and where it ends; or where the session begins.</summary>
    private static int TableOfContents(ReadOnlySpan<byte> packet, uint last, Span<byte> answer)
    {
        bool isTime = (packet[1] & 2) != 0;
        int format = (packet[2] & 0x0f) != 0 ? packet[2] & 0x0f : packet[9] >> 6;
        byte first = packet[6];
        (answer[2], answer[3]) = (1, 1);
        if (format == 1)
        {
            answer[1] = 10;
            Entry(answer[4..], 1, 0, isTime);
            return 12;
        }

        if (format != 0 || (first > 1 && first != LeadOut))
            return NoSuchField;
        int length = 4;
        if (first <= 1)
        {
            Entry(answer[length..], 1, 0, isTime);
            length += 8;
        }

        Entry(answer[length..], LeadOut, last + 1, isTime);
        length += 8;
        answer[1] = (byte)(length - 2);
        return length;
    }

    private static void Entry(Span<byte> entry, byte track, uint sector, bool isTime)
    {
        (entry[1], entry[2]) = (DataTrack, track);
        if (!isTime)
        {
            BinaryPrimitives.WriteUInt32BigEndian(entry[4..], sector);
            return;
        }

        ulong frames = sector + (ulong)PregapFrames;
        entry[5] = (byte)Math.Min(frames / FramesPerSecond / 60, byte.MaxValue);
        entry[6] = (byte)(frames / FramesPerSecond % 60);
        entry[7] = (byte)(frames % FramesPerSecond);
    }

    /// <summary>The current profile and, as the one feature, the list of profiles.</summary>
    private static int Configuration(Span<byte> answer)
    {
        answer[3] = 12;
        BinaryPrimitives.WriteUInt16BigEndian(answer[6..], CdProfile);
        (answer[10], answer[11]) = (0x03, 4); // persistent, current; one profile
        BinaryPrimitives.WriteUInt16BigEndian(answer[12..], CdProfile);
        answer[14] = 1;
        return 16;
    }

    private static int Mode(byte page, Span<byte> answer)
    {
        switch (page & 0x3f)
        {
            case 0x01: // errors: retried
                (answer[8], answer[9], answer[11]) = (0x01, 6, 5);
                answer[1] = 14;
                return 16;
            case 0x2a: // capabilities: a tray that can be locked and opened
                (answer[8], answer[9], answer[14]) = (0x2a, 18, 0x29);
                BinaryPrimitives.WriteUInt16BigEndian(answer[16..], 706); // KB/s
                BinaryPrimitives.WriteUInt16BigEndian(answer[22..], 706);
                answer[1] = 26;
                return 28;
            default:
                return NoSuchField;
        }
    }

    private static void Text(Span<byte> field, string text) => Encoding.ASCII.GetBytes(text, field);
}
