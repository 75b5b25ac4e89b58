using System.Net.Sockets;
using System.Text;

namespace MiniVmm.Guest.Tests;

/// <summary>gdb's protocol with a guest that cannot be stopped: it prints more than its console's reader takes.</summary>
public sealed class GdbHeldUpTests : IClassFixture<UsableKvm>, IDisposable
{
    private const uint MoreThanFits = 200_000; // a pipe and what MiniVmm keeps are 64 KiB each
    private readonly TemporaryFolder _folder = new();

    private string Gdb => _folder["gdb"];

    private string Console => _folder["console"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_gdb_that_could_not_have_it_keeps_no_guest_from_dying()
    {
        using MinivmmProcess vmm = await StartAsync(dies: true);
        await Eventually.UntilAsync(async () =>
        {
            using Socket gdb = await ConnectAsync();
            await gdb.SendAsync("$?#3f"u8.ToArray());
            return await EndsAsync(gdb);
        }, "gdb is sent away");

        await ReadConsoleAsync(vmm, ExitStatus.GuestCrash, "vCPU 0 died: ");
    }

    [Fact]
    public async Task A_breakpoint_that_a_gdb_could_not_take_along_stops_nobody()
    {
        using MinivmmProcess vmm = await StartAsync(dies: false, "--gdb-wait");
        using (Socket gdb = await ConnectAsync())
        {
            using StreamReader said = new(new NetworkStream(gdb), Encoding.Latin1);
            await gdb.SendAsync(Packet($"Z1,{FlatKernel.AfterMany:x},1"));
            Assert.Equal("OK", await ReplyAsync(said));
            await Eventually.UntilAsync(async () =>
            {
                await gdb.SendAsync(Packet("c"));
                await Task.Delay(200);
                await gdb.SendAsync("\u0003"u8.ToArray());
                return (await ReplyAsync(said)).StartsWith('O'); // "vCPU 0 is held up", and no stop
            }, "the guest is held up");
        }

        using (Socket next = await ConnectAsync())
            Assert.True(await EndsAsync(next)); // neither could the first leave it

        await ReadConsoleAsync(vmm, 1, "");
    }

    private async Task<MinivmmProcess> StartAsync(bool dies, params string[] options)
    {
        string kernel = _folder.Write("many.bin", FlatKernel.PrintingMany(MoreThanFits, dies));
        MinivmmProcess vmm = MinivmmProcess.StartProgram(
            "bash", ["-c", "mkfifo \"$0\" && exec \"$@\" 1<>\"$0\"", Console, Built.MiniVmm, "run", "--gdb", $"unix:{Gdb}", .. options, kernel]);
        await vmm.Errors.WaitForAsync($"target remote {Gdb}");
        return vmm;
    }

    /// <summary>Reads at last what the guest prints, and it goes on to its end.</summary>
    private async Task ReadConsoleAsync(MinivmmProcess vmm, int status, string error)
    {
        using FileStream console = File.OpenRead(Console);
        Task reading = console.CopyToAsync(Stream.Null);

        Assert.Contains(error, (await vmm.EndAsync()).With(status).Errors, StringComparison.Ordinal);

        await reading;
    }

    private async Task<Socket> ConnectAsync()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Gdb));
        return socket;
    }

    /// <summary>Whether the other end closes instead of answering.</summary>
    private static async Task<bool> EndsAsync(Socket gdb)
    {
        try
        {
            return await gdb.ReceiveAsync(new byte[1]) == 0;
        }
        catch (SocketException reset) when (reset.SocketErrorCode == SocketError.ConnectionReset)
        {
            return true; // what was sent, nobody has read
        }
    }

    private static byte[] Packet(string payload) =>
        Encoding.Latin1.GetBytes($"${payload}#{(byte)payload.Sum(letter => letter):x2}");

    /// <summary>The next packet's payload; acknowledgements are passed over.</summary>
    private static async Task<string> ReplyAsync(StreamReader said)
    {
        StringBuilder text = new();
        char[] letter = new char[1];
        while (text.Length < 3 || text[^3] != '#')
        {
            Assert.Equal(1, await said.ReadAsync(letter));
            if (text.Length > 0 || letter[0] == '$')
                text.Append(letter);
        }

        return text.ToString(1, text.Length - 4);
    }
}
