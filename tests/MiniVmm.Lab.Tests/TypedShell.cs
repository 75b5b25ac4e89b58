using System.Text;

namespace MiniVmm.Lab.Tests;

/// <summary>The guest's obeying shell, on a stream.</summary>
internal sealed class TypedShell(Stream console) : IDisposable
{
    private readonly StringBuilder _text = new();

    public async Task SendAsync(string line) =>
        await console.WriteAsync(Encoding.ASCII.GetBytes(line + "\n"), TestContext.Current.CancellationToken);

    public async Task<string> RunAsync(string command)
    {
        await SendAsync(command);
        string output = await WaitForAsync("lab: status ");
        string status = await WaitForAsync("\n");
        Assert.True(status.Trim() == "0", $"`{command}` ended with status {status}:\n{output}");
        return output.Trim();
    }

    /// <summary>What came before a text, which is taken.</summary>
    public async Task<string> WaitForAsync(string text)
    {
        byte[] buffer = new byte[4096];
        while (true)
        {
            string seen = _text.ToString();
            int at = seen.IndexOf(text, StringComparison.Ordinal);
            if (at >= 0)
            {
                _text.Remove(0, at + text.Length);
                return seen[..at];
            }

            int count = await console.ReadAsync(buffer, TestContext.Current.CancellationToken);
            Assert.True(count > 0, $"the console ended where \"{text}\" was awaited, after:\n{seen}");
            _text.Append(Encoding.ASCII.GetString(buffer, 0, count).Replace("\r", "", StringComparison.Ordinal));
        }
    }

    public void Dispose() => console.Dispose();
}
