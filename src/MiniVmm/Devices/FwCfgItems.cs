using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Devices;

/// <summary>
/// What a machine tells its firmware by <see cref="FwCfg"/> (QEMU, docs/specs/fw_cfg.rst): items by number, and files, which
/// have names in a directory and get the numbers after 0x20. Complete before the guest runs.
/// </summary>
internal sealed class FwCfgItems
{
    /// <summary>Longest name of a file, without the NUL behind it.</summary>
    public const int MaxName = FileNameField - 1;

    private const int FileNameField = 56;
    private const int FileEntrySize = 8 + FileNameField;
    private readonly Dictionary<ushort, byte[]> _items = [];
    private readonly SortedDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    /// <summary>The items that have numbers of their own.</summary>
    public enum Key : ushort
    {
        Signature = 0x00,
        Id = 0x01,
        Uuid = 0x02,
        RamSize = 0x03,
        NoGraphic = 0x04,
        CpuCount = 0x05,
        KernelAddress = 0x07,
        KernelSize = 0x08,
        InitrdAddress = 0x0a,
        InitrdSize = 0x0b,
        BootDevice = 0x0c,
        BootMenu = 0x0e,
        MaxCpus = 0x0f,
        KernelEntry = 0x10,
        KernelData = 0x11,
        InitrdData = 0x12,
        CommandLineAddress = 0x13,
        CommandLineSize = 0x14,
        CommandLineData = 0x15,
        SetupAddress = 0x16,
        SetupSize = 0x17,
        SetupData = 0x18,
        FileDirectory = 0x19,
        FirstFile = 0x20,

        /// <summary>x86: whether the timer, IRQ 0, is wired to input 2 of the I/O APIC.</summary>
        TimerOverride = 0x8002,
    }

    /// <summary>Names of the files, as the directory has them.</summary>
    public IEnumerable<string> FileNames => _files.Keys;

    /// <summary>Sets an item.</summary>
    public void Set(Key key, byte[] data) => _items[(ushort)key] = data;

    /// <inheritdoc cref="Set(Key, byte[])"/>
    public void Set16(Key key, ushort value) => Set(key, Bytes16(value));

    /// <inheritdoc cref="Set(Key, byte[])"/>
    public void Set32(Key key, uint value)
    {
        byte[] data = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        Set(key, data);
    }

    /// <inheritdoc cref="Set(Key, byte[])"/>
    public void Set64(Key key, ulong value) => Set(key, Bytes64(value));

    /// <summary>Adds a file.</summary>
    /// <param name="name">1 to <see cref="MaxName"/> characters of ASCII, as in "etc/e820".</param>
    /// <param name="data">Its bytes.</param>
    /// <returns>False where there is one of that name.</returns>
    public bool TryAddFile(string name, byte[] data) => _files.TryAdd(name, data);

    /// <summary>The number of a file; complete, for a file that there is.</summary>
    internal ushort NumberOf(string name)
    {
        ushort number = (ushort)Key.FirstFile;
        foreach (string other in _files.Keys)
        {
            if (other == name)
                return number;
            number++;
        }

        throw new ArgumentException($"there is no file {name}", nameof(name));
    }

    /// <summary>A file that holds one number, as firmware reads them.</summary>
    public static byte[] Bytes16(ushort value)
    {
        byte[] data = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(data, value);
        return data;
    }

    /// <inheritdoc cref="Bytes16"/>
    public static byte[] Bytes64(ulong value)
    {
        byte[] data = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(data, value);
        return data;
    }

    /// <summary>All items by number, files and their directory among them.</summary>
    internal Dictionary<ushort, byte[]> ByNumber()
    {
        Dictionary<ushort, byte[]> all = new(_items);
        byte[] directory = new byte[sizeof(uint) + (_files.Count * FileEntrySize)];
        BinaryPrimitives.WriteInt32BigEndian(directory, _files.Count);
        ushort number = (ushort)Key.FirstFile;
        Span<byte> entry = directory.AsSpan(sizeof(uint));
        foreach ((string name, byte[] data) in _files)
        {
            BinaryPrimitives.WriteInt32BigEndian(entry, data.Length);
            BinaryPrimitives.WriteUInt16BigEndian(entry[4..], number);
            Encoding.ASCII.GetBytes(name, entry.Slice(8, FileNameField - 1));
            entry = entry[FileEntrySize..];
            all[number++] = data;
        }

        all[(ushort)Key.FileDirectory] = directory;
        return all;
    }
}
