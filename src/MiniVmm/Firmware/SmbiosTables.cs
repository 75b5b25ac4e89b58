using System.Text;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// The SMBIOS tables as QEMU's firmware gets them by fw_cfg: the structures, and an entry point whose address and checksums firmware
/// works out when it has placed them (SMBIOS 2.8, DSP0134). Firmware adds the structure about itself, type 0.
/// </summary>
internal static class SmbiosTables
{
    public const string Structures = "etc/smbios/smbios-tables";
    public const string EntryPoint = "etc/smbios/smbios-anchor";

    /// <summary>Sockets that are told of: 16 bits must do for the length of all.</summary>
    private const int MostSockets = 128;

    private const ulong LargestMemoryDevice = 16 * MemoryLayout.GiB;
    private const int MostMemoryDevices = 64;
    private const ushort None = 0xfffe, Unknown = 0xffff, MemoryArray = 0x1000;

    /// <summary>Adds both files.</summary>
    /// <param name="items">Gets them.</param>
    /// <param name="identity">Who the machine is.</param>
    /// <param name="sockets">Sockets with processors.</param>
    /// <param name="cores">Cores of one socket.</param>
    /// <param name="threads">Hardware threads of one core.</param>
    /// <param name="memory">RAM at the start.</param>
    /// <exception cref="BadInputException">The identity's texts are too long.</exception>
    public static void AddTo(FwCfgItems items, SmbiosIdentity identity, int sockets, int cores, int threads, GuestMemoryMap memory)
    {
        Table table = new();
        AddSystem(table, identity);
        AddChassis(table, identity);
        for (int i = 0; i < Math.Min(sockets, MostSockets); i++)
            AddProcessor(table, identity, i, cores, cores * threads);
        if (identity.OemStrings.Count > 0)
            table.Add(11, 0x0e00, fields => fields.U8((byte)identity.OemStrings.Count), identity.OemStrings);
        AddMemory(table, memory);
        table.Add(32, 0x2000, fields => fields.Zeros(7)); // booted without errors
        table.Add(127, 0x7f00, _ => { });
        if (table.Length > ushort.MaxValue)
            throw new BadInputException($"{OptionName.Smbios}: the texts are too long; the tables would take {table.Length} bytes, more than {ushort.MaxValue}");
        items.TryAddFile(Structures, table.ToArray());
        items.TryAddFile(EntryPoint, table.EntryPoint());
    }

    /// <summary>7.2.</summary>
    private static void AddSystem(Table table, SmbiosIdentity identity) => table.Add(
        1,
        0x0100,
        fields =>
        {
            const byte powerSwitch = 6;
            fields.Strings(identity.Manufacturer, identity.Product, identity.Version, identity.Serial);
            fields.Bytes(identity.Uuid.ToByteArray()); // its first three fields little-endian, as here
            fields.U8(powerSwitch);
            fields.Strings(identity.Sku, identity.Family);
        });

    /// <summary>7.4.</summary>
    private static void AddChassis(Table table, SmbiosIdentity identity) => table.Add(
        3,
        0x0300,
        fields =>
        {
            const byte other = 1, safe = 3, unknown = 2;
            fields.Strings(identity.Manufacturer);
            fields.U8(other);
            fields.Strings(identity.Version, "", "");
            fields.Bytes([safe, safe, safe, unknown]);
            fields.Zeros(4 + 4); // no OEM's word; height and power cords unknown; nothing in it
            fields.Strings("");
        });

    /// <summary>7.5. What CPUID says is the processor's to say.</summary>
    private static void AddProcessor(Table table, SmbiosIdentity identity, int socket, int cores, int threads) => table.Add(
        4,
        (ushort)(0x0400 + socket),
        fields =>
        {
            const byte centralProcessor = 3, other = 1, enabled = 0x41;
            const ushort otherFamily = 1, sixtyFourBits = 4;
            fields.Strings($"CPU {socket}");
            fields.Bytes([centralProcessor, other]);
            fields.Strings(identity.Manufacturer);
            fields.U64(0); // its ID
            fields.Strings("");
            fields.Zeros(1 + 2 + 2 + 2); // voltage, clock and speeds: unknown
            fields.Bytes([enabled, other]);
            for (int cache = 0; cache < 3; cache++)
                fields.U16(Unknown);
            fields.Strings("", "", "");
            fields.Bytes([Count(cores), Count(cores), Count(threads)]);
            fields.U16(sixtyFourBits);
            fields.U16(otherFamily);
        });

    /// <summary>7.17, 7.18 and 7.20: an array of memory devices, and where they are mapped.</summary>
    private static void AddMemory(Table table, GuestMemoryMap memory)
    {
        ulong each = Math.Max(LargestMemoryDevice, memory.Size / MostMemoryDevices);
        int devices = (int)((memory.Size + each - 1) / each);
        table.Add(
            16,
            MemoryArray,
            fields =>
            {
                const byte other = 1, systemMemory = 3, noCorrection = 3;
                const ulong mostOfField = 0x8000_0000;
                ulong kilobytes = memory.Size / MemoryLayout.KiB;
                fields.Bytes([other, systemMemory, noCorrection]);
                fields.U32((uint)Math.Min(kilobytes, mostOfField));
                fields.U16(None);
                fields.U16((ushort)devices);
                fields.U64(kilobytes < mostOfField ? 0 : memory.Size);
            });
        for (int i = 0; i < devices; i++)
            AddMemoryDevice(table, i, Math.Min(each, memory.Size - ((ulong)i * each)));
        for (int i = 0; i < memory.Ram.Count; i++)
            AddMapping(table, i, memory.Ram[i]);
    }

    private static void AddMemoryDevice(Table table, int number, ulong size) => table.Add(
        17,
        (ushort)(0x1100 + number),
        fields =>
        {
            const byte module = 9, ram = 7;
            const ushort other = 2, extended = 0x7fff, inKilobytes = 0x8000;
            ulong megabytes = size / MemoryLayout.MiB;
            fields.U16(MemoryArray);
            fields.U16(None);
            fields.U16(Unknown); // widths
            fields.U16(Unknown);
            fields.U16(size % MemoryLayout.MiB != 0 && size / MemoryLayout.KiB < extended
                ? (ushort)(inKilobytes | (size / MemoryLayout.KiB))
                : (ushort)Math.Min(megabytes, extended));
            fields.Bytes([module, 0]);
            fields.Strings($"DIMM {number}", "");
            fields.U8(ram);
            fields.U16(other);
            fields.U16(0); // speed
            fields.Strings("", "", "", "");
            fields.U8(0);
            fields.U32(megabytes < extended ? 0 : (uint)megabytes);
            fields.Zeros(2 + (3 * 2)); // configured speed, voltages
        });

    private static void AddMapping(Table table, int number, GuestRange ram) => table.Add(
        19,
        (ushort)(0x1300 + number),
        fields =>
        {
            ulong first = ram.Start / MemoryLayout.KiB, last = (ram.End / MemoryLayout.KiB) - 1;
            bool isExtended = last >= uint.MaxValue;
            fields.U32(isExtended ? uint.MaxValue : (uint)first);
            fields.U32(isExtended ? uint.MaxValue : (uint)last);
            fields.U16(MemoryArray);
            fields.U8(1);
            fields.U64(isExtended ? ram.Start : 0);
            fields.U64(isExtended ? ram.End - 1 : 0);
        });

    private static byte Count(int number) => (byte)Math.Min(number, byte.MaxValue);

    /// <summary>Structures, one after another: fields, then the texts that they number (6.1.3).</summary>
    private sealed class Table
    {
        private const int HeaderSize = 4;
        private readonly ByteWriter _all = new();
        private int _count;
        private int _largest;

        /// <param name="type">Of the structure.</param>
        /// <param name="handle">Its own.</param>
        /// <param name="write">Writes what follows the header.</param>
        /// <param name="more">Texts that no field numbers.</param>
        public void Add(byte type, ushort handle, Action<Fields> write, IEnumerable<string>? more = null)
        {
            int start = _all.Length;
            Fields fields = new();
            write(fields);
            _all.U8(type);
            _all.U8((byte)(HeaderSize + fields.Length));
            _all.U16(handle);
            _all.Bytes(fields.Written);
            int texts = _all.Length;
            foreach (string text in (IEnumerable<string>)[.. fields.Texts, .. more ?? []])
            {
                _all.Bytes(Encoding.UTF8.GetBytes(text));
                _all.U8(0);
            }

            _all.Zeros(_all.Length == texts ? 2 : 1);
            _count++;
            _largest = Math.Max(_largest, _all.Length - start);
        }

        public int Length => _all.Length;

        public byte[] ToArray() => _all.ToArray();

        /// <summary>5.2.1, for an address that is still 0.</summary>
        public byte[] EntryPoint()
        {
            const int size = 0x1f, checksum = 4, intermediate = 16, intermediateChecksum = 21;
            ByteWriter entry = new();
            entry.Ascii("_SM_");
            entry.Bytes([0, size, 2, 8]);
            entry.U16((ushort)_largest);
            entry.Zeros(6);
            entry.Ascii("_DMI_");
            entry.U8(0);
            entry.U16((ushort)_all.Length);
            entry.U32(0);
            entry.U16((ushort)_count);
            entry.U8(0x28);
            byte[] bytes = entry.ToArray();
            bytes[intermediateChecksum] = Checksum.For(bytes.AsSpan(intermediate), intermediateChecksum - intermediate);
            bytes[checksum] = Checksum.For(bytes, checksum);
            return bytes;
        }
    }

    /// <summary>The fields of one structure.</summary>
    private sealed class Fields
    {
        private readonly ByteWriter _bytes = new();

        public List<string> Texts { get; } = [];

        public int Length => _bytes.Length;

        public ReadOnlySpan<byte> Written => _bytes.Written;

        /// <summary>The numbers of texts; 0 for an empty one.</summary>
        public void Strings(params ReadOnlySpan<string> texts)
        {
            foreach (string text in texts)
            {
                if (text.Length > 0)
                    Texts.Add(text);
                _bytes.U8(text.Length > 0 ? (byte)Texts.Count : (byte)0);
            }
        }

        public void U8(byte value) => _bytes.U8(value);

        public void U16(ushort value) => _bytes.U16(value);

        public void U32(uint value) => _bytes.U32(value);

        public void U64(ulong value) => _bytes.U64(value);

        public void Bytes(ReadOnlySpan<byte> data) => _bytes.Bytes(data);

        public void Zeros(int count) => _bytes.Zeros(count);
    }
}
