using System.Globalization;
using System.Text;
using MiniVmm.Cli.Output;
using MiniVmm.Display;

namespace MiniVmm.Tools.Top;

/// <summary>
/// Lines on the terminal's alternate screen, from the first drawing to disposal: only those that changed are written.
/// </summary>
internal sealed class TopScreen : IDisposable
{
    private readonly Stream _output = Standard.OpenOutput();
    private readonly Lock _lock = new();
    private IReadOnlyList<string> _shown = [];
    private int _columns;
    private bool _isEntered;
    private bool _isAway;

    public void Draw(IReadOnlyList<string> lines, int columns)
    {
        lock (_lock)
        {
            if (_isAway)
                return;
            if (!_isEntered)
                _output.Write(TerminalCanvas.Enter);
            StringBuilder changes = new();
            bool all = !_isEntered || columns != _columns || lines.Count != _shown.Count;
            _isEntered = true;
            if (all)
                changes.Append("\e[2J");
            for (int i = 0; i < lines.Count; i++)
            {
                if (all || lines[i] != _shown[i])
                    changes.Append(CultureInfo.InvariantCulture, $"\e[{i + 1};1H{lines[i]}\e[K");
            }

            (_shown, _columns) = (lines, columns);
            if (changes.Length > 0)
                _output.Write(Encoding.UTF8.GetBytes(changes.ToString()));
        }
    }

    /// <summary>Gives the terminal to another program, until <see cref="Resume"/>: nothing is drawn meanwhile.</summary>
    public void Suspend()
    {
        lock (_lock)
        {
            _isAway = true;
            Leave();
        }
    }

    /// <summary>The next drawing is of the whole page: another program may have drawn since.</summary>
    public void Resume()
    {
        lock (_lock)
            _isAway = _isEntered = false;
    }

    public void Dispose() => Suspend();

    private void Leave()
    {
        if (!_isEntered)
            return;
        _isEntered = false;
        try
        {
            _output.Write(TerminalCanvas.Leave);
        }
        catch (IOException)
        {
            // The terminal has gone.
        }
    }
}
