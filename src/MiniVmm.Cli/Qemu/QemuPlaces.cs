using System.Globalization;

namespace MiniVmm.Cli.Qemu;

/// <summary>Where a drive is to be: <c>index=</c>, or <c>bus=</c> and <c>unit=</c>; null for what is not given.</summary>
internal readonly record struct QemuPlace(ulong? Index, ulong? Bus, ulong? Unit);

/// <summary>
/// The places of drives, by QEMU's rule (blockdev.c, drive_new): on each kind of bus an index counts units, bus after bus, and a drive that
/// names none has the first that is free when its turn comes. A machine "pc" has two IDE buses of two units, a q35 six of one.
/// </summary>
internal sealed class QemuPlaces(bool isQ35)
{
    /// <summary>As many as MiniVmm's machine has, whatever it is called.</summary>
    private const int IdePlaces = 4;

    /// <summary>Units of a bus that has as many as one likes, and such buses.</summary>
    private const int Many = 256;

    private readonly int _ideBuses = isQ35 ? 6 : 2;
    private readonly int _ideUnits = isQ35 ? 1 : 2;
    private readonly List<Taken> _taken = [];

    private sealed record Taken(string Kind, int Index, string Word);

    /// <summary>The place on MiniVmm's IDE; null where it has no such: the drive is wherever one is free.</summary>
    public static int? OnIde(int index) => index < IdePlaces ? index : null;

    /// <summary>Takes the place of a <c>-drive</c>.</summary>
    /// <param name="word">The option.</param>
    /// <param name="kind">if=.</param>
    /// <param name="asked">What it asks for.</param>
    /// <returns>The place's index.</returns>
    /// <exception cref="BadInputException">There is no such place, or another drive has it.</exception>
    public int Take(QemuWord word, string kind, QemuPlace asked)
    {
        (int units, int count) = kind switch
        {
            "ide" => (_ideUnits, _ideBuses * _ideUnits),
            "floppy" or "pflash" => (2, 2),
            _ => (Many, Many * Many),
        };
        (ulong bus, ulong first) = (asked.Bus ?? 0, asked.Unit ?? 0);
        if (asked.Index is not null && (asked.Unit is not null || bus > 0))
            throw new BadInputException($"{word}: index= is a bus and a unit; leave out bus= and unit=");
        if (asked.Index >= (ulong)count || bus >= (ulong)(count / units) || first >= (ulong)units)
            throw new BadInputException($"{word}: if={kind} has {count / units} buses of {units} units, and no such place");
        int index = (int)(asked.Index ?? ((bus * (ulong)units) + first));
        if (asked is { Index: null, Unit: null })
        {
            while (index < count && Find(kind, index) is not null)
                index++;
            if (index == count)
                throw new BadInputException($"{word}: if={kind} has places for {count} drives, and they are all taken");
        }
        else if (Find(kind, index) is { } other)
        {
            throw new BadInputException($"{word}: {Name(kind, index, units)} has '{other.Word}'; choose another");
        }

        _taken.Add(new(kind, index, word.ToString()));
        return index;
    }

    /// <summary>
    /// Takes the place of an IDE drive of <c>-device</c>: <c>bus=ide.N</c>, and without it QEMU's choice, which is the last bus, be it full;
    /// <c>unit=</c> or the free one.
    /// </summary>
    /// <returns>The place's index.</returns>
    /// <exception cref="BadInputException">There is no such place, or another drive has it.</exception>
    public int TakeOnIde(QemuList device)
    {
        int bus = device.Take("bus") is { } name ? Bus(device, name) : _ideBuses - 1;
        ulong? asked = device.TakeNumber("unit");
        if (asked >= (ulong)_ideUnits)
            throw device.Bad($"unit={asked}: a bus of IDE has {(_ideUnits == 1 ? "unit 0 alone" : "units 0 and 1")}");
        int index = bus * _ideUnits;
        if (asked is { } unit)
            index += (int)unit;
        else if (Find("ide", index) is not null)
            index += _ideUnits - 1;
        if (Find("ide", index) is { } other)
            throw device.Bad($"{Name("ide", index, _ideUnits)} has '{other.Word}'; choose another, as by bus=ide.0,unit=0");
        _taken.Add(new("ide", index, device.ToString()));
        return index;
    }

    private static string Name(string kind, int index, int units) => string.Create(
        CultureInfo.InvariantCulture, $"the place bus={index / units},unit={index % units} (index={index}) of if={kind}");

    private int Bus(QemuList device, string name)
    {
        const string prefix = "ide.";
        return name.StartsWith(prefix, StringComparison.Ordinal)
            && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int bus) && bus < _ideBuses
                ? bus
                : throw device.Bad($"there is no bus {name}; use {prefix}0 to {prefix}{_ideBuses - 1}");
    }

    private Taken? Find(string kind, int index) => _taken.Find(taken => taken.Index == index && taken.Kind == kind);
}
