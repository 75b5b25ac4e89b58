using System.Diagnostics;
using System.Text;

namespace MiniVmm.Guest.Tests;

/// <summary>Text that comes bit by bit, without its carriage returns.</summary>
internal sealed class Transcript
{
    /// <summary>Far more than any step takes, in the lab too and when the host is busy with other things.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(240);

    private readonly StringBuilder _text = new();

    public Transcript(Stream from) => End = Task.Run(() => Collect(from));

    /// <summary>Done when no more text can come.</summary>
    public Task End { get; }

    /// <summary>All that has come so far.</summary>
    public string Text
    {
        get
        {
            lock (_text)
                return _text.ToString();
        }
    }

    /// <summary>Waits until <paramref name="text"/> has come.</summary>
    public async Task WaitForAsync(string text)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            // Asked before the look, so that what was written last is not missed.
            bool ended = End.IsCompleted;
            if (Text.Contains(text, StringComparison.Ordinal))
                return;
            if (ended || waited.Elapsed > Deadline)
            {
                string how = ended ? "The text ended" : $"{Deadline.TotalSeconds} s went by";
                Assert.Fail($"{how} without \"{text}\".\n--- what came:\n{Text}");
            }

            await Task.Delay(10);
        }
    }

    private void Collect(Stream from)
    {
        Decoder decoder = Encoding.UTF8.GetDecoder();
        byte[] bytes = new byte[4096];
        char[] letters = new char[bytes.Length + 1];
        try
        {
            int got;
            while ((got = from.Read(bytes)) > 0)
            {
                int count = decoder.GetChars(bytes.AsSpan(0, got), letters, flush: false);
                lock (_text)
                    _text.Append(new string(letters, 0, count).Replace("\r", "", StringComparison.Ordinal));
            }
        }
        catch (IOException)
        {
            // EIO: the last user of a pseudo-terminal has closed it.
        }
    }
}
