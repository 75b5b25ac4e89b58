using System.CommandLine;
using System.Diagnostics;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Configuration;
using MiniVmm.Terminal;
using MiniVmm.Tools.Top;

namespace MiniVmm.Tools;

/// <summary><c>minivmm top</c> and <c>minivmm watch NAME</c>: what machines do, as they do it.</summary>
internal sealed class TopCommand : DocumentedCommand
{
    /// <summary>How long a key or a new size of the terminal may wait, in milliseconds.</summary>
    private const int Glance = 100;

    private static readonly TimeSpan LongestInterval = TimeSpan.FromDays(1);

    private readonly Argument<string>? _name;
    private readonly Option<string> _interval = new("--interval")
    {
        HelpName = "SECONDS",
        Description = "How long between two looks",
        DefaultValueFactory = _ => "1",
    };

    private TopCommand(string word, string description, Argument<string>? name)
        : base(word, description)
    {
        _name = name;
        if (name is not null)
            Arguments.Add(name);
        Group("Output", name is null ? "minivmm top --interval 5" : "minivmm watch --interval 5 web", _interval);
        SetAction(Run);
    }

    public static TopCommand OfAll() =>
        new("top", "Watch the running machines: exits by reason, time in guest, kernel and MiniVmm, memory, devices", null);

    public static TopCommand OfOne() =>
        new("watch", "Watch one machine", new("NAME") { Description = "The machine's --name" });

    private int Run(ParseResult line)
    {
        string seconds = line.GetValue(_interval)!;
        if (!SecondsText.TryParse(seconds, out TimeSpan interval))
            throw new BadInputException($"--interval {seconds}: not a number of seconds, such as 5 or 0.5");
        if (interval > LongestInterval)
            throw new BadInputException($"--interval {seconds}: longer than a day; that is no watching");
        string? only = _name is null ? null : line.GetValue(_name);
        TopMachines machines = new(only);
        machines.Look();
        if (only is not null && machines.All.Count == 0)
            throw new BadInputException($"watch {only}: no machine of that name runs; minivmm ps lists those that do");
        TopView view = only is null ? TopView.Machines : TopView.Exits;
        if (Standard.OutputIsTerminal && TerminalSize.TryGet(0, out _, out _))
            return Watch(machines, view, interval);

        // For a file or a pipe, once: a rate is what has come between two looks.
        Thread.Sleep(interval);
        machines.Look();
        foreach (string text in TopPage.Lines(machines.All, view, 0, 120, 24).SkipLast(1).Reverse().SkipWhile(text => text.Length == 0).Reverse())
            Standard.Output.WriteLine(text);
        return ExitStatus.Success;
    }

    private static int Watch(TopMachines machines, TopView view, TimeSpan interval)
    {
        using EndSignals signals = new();
        using TopScreen screen = new();
        using TopKeys keys = new(screen);
        TopView first = view;
        int selected = 0;
        long looked = Stopwatch.GetTimestamp();
        while (!signals.Cancellation.IsCancellationRequested)
        {
            (int columns, int rows) = TerminalSize.TryGet(1, out ushort wide, out ushort high) && wide > 0 && high > 0 ? (wide, high) : (80, 25);
            selected = Math.Clamp(selected, 0, Math.Max(machines.All.Count - 1, 0));
            if (keys.HaveTerminal)
                screen.Draw(TopPage.Lines(machines.All, view, selected, columns, rows), columns);
            switch (keys.Read(Glance))
            {
                case TopKey.Up:
                    selected--;
                    break;
                case TopKey.Down:
                    selected++;
                    break;
                case TopKey.Exits:
                    view = TopView.Exits;
                    break;
                case TopKey.Devices:
                    view = TopView.Devices;
                    break;
                case TopKey.Back:
                    view = first;
                    break;
                case TopKey.Suspend:
                    JobControl.Suspend();
                    break;
                case TopKey.Quit:
                    return ExitStatus.Success;
            }

            if (Stopwatch.GetElapsedTime(looked) < interval)
                continue;
            machines.Look();
            looked = Stopwatch.GetTimestamp();
        }

        return ExitStatus.Interrupted;
    }
}
