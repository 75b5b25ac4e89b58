using System.ComponentModel;

namespace MiniVmm.Demo;

/// <summary><c>MiniVmm.Demo CAST SVG</c>: draws a terminal recording (asciicast v2) as an animated SVG. docs/demo/record calls it.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        if (arguments is not [string cast, string svg])
            return Refuse("usage: MiniVmm.Demo CAST SVG");
        try
        {
            Cast recording = Cast.Parse(File.ReadAllText(cast));
            using TmuxScreen screen = new(recording.Columns, recording.Rows);
            List<Frame> frames = [];
            foreach ((double time, string output) in recording.Steps())
                frames.Add(screen.Show(time, output));
            File.WriteAllText(svg, new SvgAnimation(recording, frames).ToString());
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or TimeoutException or Win32Exception)
        {
            return Refuse($"{cast}: {e.Message}");
        }
    }

    private static int Refuse(string why)
    {
        Console.Error.WriteLine($"MiniVmm.Demo: {why}");
        return 2;
    }
}
