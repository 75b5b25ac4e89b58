using System.Globalization;
using System.Text;

namespace MiniVmm.Demo;

/// <summary>Lines with colours (select graphic rendition: ECMA-48, 8.3.117), as tmux tells a screen. What is set in a line holds for the next.</summary>
internal sealed class StyledText
{
    /// <summary>The sixteen colours that have no fixed value, on a dark background.</summary>
    private static readonly string[] Palette =
    [
        "484f58", "ff7b72", "3fb950", "d29922", "58a6ff", "bc8cff", "39c5cf", "b1bac4",
        "6e7681", "ffa198", "56d364", "e3b341", "79c0ff", "d2a8ff", "56d4dd", "f0f6fc",
    ];

    private string? _foreground, _background;
    private bool _bold, _reversed;

    private Look Look => _reversed
        ? new(_background ?? SvgAnimation.Background, _foreground ?? SvgAnimation.Foreground, _bold)
        : new(_foreground, _background, _bold);

    /// <summary>Reads a line.</summary>
    public IReadOnlyList<Piece> Read(string line)
    {
        List<Piece> pieces = [];
        StringBuilder text = new();
        int start = 0, column = 0;
        for (int i = 0; i < line.Length;)
        {
            if (line[i] == '\e')
            {
                Flush();
                i = Escape(line, i + 1);
                continue;
            }

            // A letter that another font may have to lend is a piece of its own kind: its width is not to move the others.
            if (text.Length > 0 && line[i] < 0x80 != text[^1] < 0x80)
                Flush();
            if (!char.IsControl(line[i]))
                text.Append(line[i]);
            if (!char.IsControl(line[i]) && !char.IsLowSurrogate(line[i]))
                column++;
            i++;
        }

        Flush();
        return pieces;

        void Flush()
        {
            string whole = text.ToString();
            text.Clear();
            int from = start;
            start = column;
            if (Look.Background is null)
            {
                from += whole.Length - whole.TrimStart(' ').Length;
                whole = whole.Trim(' ');
            }

            if (whole.Length > 0)
                pieces.Add(new(from, whole, Look));
        }
    }

    /// <summary>Takes a control sequence, of which only SGR means something here. Returns the index behind it.</summary>
    private int Escape(string line, int index)
    {
        if (index >= line.Length || line[index] != '[')
            return Math.Min(index + 1, line.Length);
        int end = index + 1;
        while (end < line.Length && line[end] is < '@' or > '~')
            end++;
        if (end < line.Length && line[end] == 'm')
            Render(line[(index + 1)..end].Split(';', ':'));
        return Math.Min(end + 1, line.Length);
    }

    private void Render(string[] parameters)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            int value = Value(parameters, i);
            switch (value)
            {
                case 0:
                    (_foreground, _background, _bold, _reversed) = (null, null, false, false);
                    break;
                case 1 or 22:
                    _bold = value == 1;
                    break;
                case 7 or 27:
                    _reversed = value == 7;
                    break;
                case (>= 30 and <= 37) or (>= 90 and <= 97):
                    _foreground = Palette[value < 90 ? value - 30 : value - 82];
                    break;
                case (>= 40 and <= 47) or (>= 100 and <= 107):
                    _background = Palette[value < 100 ? value - 40 : value - 92];
                    break;
                case 38:
                    _foreground = Extended(parameters, ref i);
                    break;
                case 48:
                    _background = Extended(parameters, ref i);
                    break;
                case 39:
                    _foreground = null;
                    break;
                case 49:
                    _background = null;
                    break;
            }
        }
    }

    /// <summary>A colour of 256, or one of red, green and blue.</summary>
    private static string? Extended(string[] parameters, ref int index)
    {
        if (Value(parameters, index + 1) == 2)
        {
            index += 4;
            return Hex(Value(parameters, index - 2), Value(parameters, index - 1), Value(parameters, index));
        }

        index += 2;
        int colour = Value(parameters, index);
        if (colour < 16)
            return Palette[colour];
        if (colour >= 232)
            return Hex(8 + (10 * (colour - 232)), 8 + (10 * (colour - 232)), 8 + (10 * (colour - 232)));
        colour -= 16;
        return Hex(Level(colour / 36), Level(colour / 6 % 6), Level(colour % 6));
    }

    /// <summary>A step of the 6 × 6 × 6 colours of xterm.</summary>
    private static int Level(int step) => step == 0 ? 0 : 55 + (40 * step);

    private static string Hex(int red, int green, int blue) => $"{red:x2}{green:x2}{blue:x2}";

    /// <summary>A parameter, 0 to 255; one that is left out is 0.</summary>
    private static int Value(string[] parameters, int index) =>
        index < parameters.Length && byte.TryParse(parameters[index], CultureInfo.InvariantCulture, out byte value) ? value : 0;
}
