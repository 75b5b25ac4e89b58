using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>Types on a guest's keyboard for whoever is not sitting there: texts, and keys by their names.</summary>
/// <param name="keyboard">The keyboard's controller.</param>
internal sealed class Typist(I8042 keyboard)
{
    /// <summary>Bytes of keys that the guest has not read.</summary>
    public int Waiting => keyboard.Waiting;

    /// <summary>Types a text on a US keyboard.</summary>
    /// <exception cref="BadInputException">A letter has no key there: nothing is typed.</exception>
    /// <exception cref="HostLimitException">The guest does not read its keyboard: a part is typed.</exception>
    public void Type(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (char letter in text)
        {
            if (!UsKeyboard.TryFind(letter, out _, out _))
                throw new BadInputException($"a US keyboard has no key for '{letter}' (U+{(int)letter:X4})");
        }

        foreach (char letter in text)
        {
            _ = UsKeyboard.TryFind(letter, out ScanCode key, out bool shift);
            if (shift)
                Report(UsKeyboard.Shift, down: true);
            Report(key, down: true);
            Report(key, down: false);
            if (shift)
                Report(UsKeyboard.Shift, down: false);
        }
    }

    /// <summary>Presses the keys of each combination together, one combination after the other: "ctrl-c", "a b f1".</summary>
    /// <exception cref="BadInputException">There is no such key: none is pressed.</exception>
    /// <exception cref="HostLimitException">The guest does not read its keyboard: a part is typed.</exception>
    public void Press(string combinations)
    {
        ArgumentNullException.ThrowIfNull(combinations);
        IReadOnlyList<ScanCode>[] all =
            [.. combinations.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(KeyNames.Parse)];
        foreach (IReadOnlyList<ScanCode> together in all)
        {
            foreach (ScanCode key in together)
                Report(key, down: true);
            foreach (ScanCode key in together.Reverse())
                Report(key, down: false);
        }
    }

    private void Report(ScanCode key, bool down)
    {
        if (!keyboard.TryReport(key, down))
            throw new HostLimitException($"the guest does not read its keyboard: {keyboard.Waiting} bytes of scan codes wait");
    }
}
