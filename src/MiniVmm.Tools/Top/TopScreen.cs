using System.Globalization;
using System.Text;
using MiniVmm.Cli.Output;
using MiniVmm.Display;

namespace MiniVmm.Tools.Top;

/// <summary>Lines on the terminal's alternate screen: only those that changed are written. Gone on every way out.</summary>
internal sealed class TopScreen : IDisposable
{
    private readonly Stream _output = Standard.OpenOutput();
    private readonly Lock _lock = new();
    private IReadOnlyList<string> _shown = [];
    private int _columns;
    private bool _left;

    public TopScreen()
    {
        AppDomain.CurrentDomain.ProcessExit += Exit;
        _output.Write(TerminalCanvas.Enter);
    }

    public void Draw(IReadOnlyList<string> lines, int columns)
    {
        StringBuilder changes = new();
        bool all = columns != _columns || lines.Count != _shown.Count;
        if (all)
            changes.Append("\e[2J");
        for (int i = 0; i < lines.Count; i++)
        {
            if (all || lines[i] != _shown[i])
                changes.Append(CultureInfo.InvariantCulture, $"\e[{i + 1};1H{lines[i]}\e[K");
        }

        (_shown, _columns) = (lines, columns);
        lock (_lock)
        {
            if (!_left && changes.Length > 0)
                _output.Write(Encoding.UTF8.GetBytes(changes.ToString()));
        }
    }

    public void Dispose()
    {
        AppDomain.CurrentDomain.ProcessExit -= Exit;
        Leave();
    }

    private void Exit(object? sender, EventArgs e) => Leave();

    private void Leave()
    {
        lock (_lock)
        {
            if (_left)
                return;
            _left = true;
            _output.Write(TerminalCanvas.Leave);
        }
    }
}
