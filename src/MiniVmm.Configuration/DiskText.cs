using System.Globalization;
using MiniVmm.Storage;

namespace MiniVmm.Configuration;

/// <summary>
/// A disk: <c>FILE[,if=virtio|ide|cdrom|floppy][,ro][,snapshot][,serial=TEXT][,cache=writeback|none|unsafe][,format=raw|qcow2][,iops=N][,bw=SIZE]</c>. A comma in
/// the name is doubled, as in QEMU; <c>file=FILE</c> means the same as FILE.
/// </summary>
public static class DiskText
{
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static DiskOptions Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string? file = null;
        DiskOptions options = new() { File = "" };
        var seen = new HashSet<string>();
        bool first = true;
        foreach (string part in CommaList.Split(text))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? part : part[..equals];
            string? value = equals < 0 ? null : part[(equals + 1)..];

            // In the first place anything that is not an option is the file's name, with or without =; later it is a
            // mistake.
            if (first && (value == null || !IsKey(key)))
                (key, value) = ("file", part);
            first = false;
            if (!seen.Add(key))
                throw Wrong(text, $"{key} is given twice");
            if (key == "file")
                file = string.IsNullOrEmpty(value) ? throw Wrong(text, "no file given") : value;
            else
                options = With(options, text, key, value);
        }

        if (file == null)
            throw Wrong(text, "no file given; put it first, as in disk.img,ro");
        return file.Contains('\0', StringComparison.Ordinal)
            ? throw Wrong(text, "a file name cannot contain NUL")
            : CheckLimits(text, options with { File = file });
    }

    private static DiskOptions CheckLimits(string text, DiskOptions options) =>
        options.Interface != DiskInterface.Virtio && (options.Iops != 0 || options.BytesPerSecond != 0)
            ? throw Wrong(text, "iops and bw are for virtio disks; leave them out, or if=")
            : options;

    private static bool IsKey(string key) => key is "file" or "if" or "ro" or "snapshot" or "serial" or "cache" or "format" or "iops" or "bw";

    private static BadInputException Wrong(string text, string what) => new($"{OptionName.Disk.With(text)}: {what}");

    private static string CheckSerial(string text, string? serial)
    {
        if (string.IsNullOrEmpty(serial))
            throw Wrong(text, "serial= has no value");
        if (serial.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            throw Wrong(text, $"serial={serial}: only printable ASCII is allowed");
        return serial.Length <= DiskOptions.MaxSerial
            ? serial
            : throw Wrong(text, $"serial={serial} has {serial.Length} characters; at most {DiskOptions.MaxSerial} are allowed");
    }

    private static ulong Number(string text, string? value) =>
        ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) && number > 0
            ? number
            : throw Wrong(text, $"iops={value} is not a number of requests per second, 1 or more");

    private static ulong Rate(string text, string? value) =>
        !SizeText.TryParse(value ?? "", out ulong rate, out string? problem) ? throw Wrong(text, $"bw {value}: {problem}")
        : rate > 0 ? rate
        : throw Wrong(text, $"bw={value} would let nothing through; for no limit, leave it out");

    private static DiskOptions With(DiskOptions options, string text, string key, string? value) => key switch
    {
        "if" => options with
        {
            Interface = value switch
            {
                "virtio" => DiskInterface.Virtio,
                "ide" => DiskInterface.Ide,
                "cdrom" => DiskInterface.Cdrom,
                "floppy" => DiskInterface.Floppy,
                _ => throw Wrong(text, $"if={value}: use virtio, ide, cdrom or floppy"),
            },
        },
        "ro" when value == null => options with { ReadOnly = true },
        "snapshot" when value == null => options with { Snapshot = true },
        "ro" or "snapshot" => throw Wrong(text, $"{key} takes no value, but was given {value}"),
        "serial" => options with { Serial = CheckSerial(text, value) },
        "cache" => options with
        {
            Cache = value switch
            {
                "writeback" => DiskCache.WriteBack,
                "none" => DiskCache.None,
                "unsafe" => DiskCache.Unsafe,
                _ => throw Wrong(text, $"cache={value}: use writeback, none or unsafe"),
            },
        },
        "format" => options with
        {
            Format = value switch
            {
                "raw" => DiskFormat.Raw,
                "qcow2" => DiskFormat.Qcow2,
                _ => throw Wrong(text, $"format={value}: only raw and qcow2 are supported; `qemu-img convert` converts others"),
            },
        },
        "iops" => options with { Iops = Number(text, value) },
        "bw" => options with { BytesPerSecond = Rate(text, value) },
        "" => throw Wrong(text, "an empty part; remove a comma, or double it if it belongs to the name"),
        _ => throw Wrong(text, $"unknown key {key}; use if, ro, snapshot, serial, cache, format, iops or bw, and double a comma in the name"),
    };
}
