using System.Buffers;
using System.Text.Json;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>The other side of a control socket: one request at a time, and its answer.</summary>
public sealed unsafe class ControlClient : IDisposable
{
    /// <summary>How long an answer may take: the machine waits a second for its guest's figures.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>pidfd_open(2), x86-64.</summary>
    private const int SYS_pidfd_open = 434;

    private const int MaxAnswer = 1 << 20;

    private readonly UnixSocket _socket;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly int _pidfd;

    private ControlClient(string name, UnixSocket socket)
    {
        Name = name;
        _socket = socket;

        // While it is connected the number is still that process; later another one may have it.
        _pidfd = (int)(long)syscall(SYS_pidfd_open, socket.Peer.Pid, 0);
    }

    public string Name { get; }

    /// <exception cref="BadInputException">No machine of that name runs; the message lists those that do.</exception>
    /// <exception cref="HostLimitException">It does not take connections.</exception>
    public static ControlClient Connect(string name)
    {
        MachineName.Check(name, "ctl");
        using ControlDirectory? directory = ControlDirectory.Open();
        if (directory is null)
            throw Unknown(name);
        UnixSocket socket = UnixSocket.Create();
        try
        {
            long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
            int error;
            while ((error = socket.Connect(directory.Socket(name))) == -Errno.EAGAIN
                && Environment.TickCount64 < end)
                Thread.Sleep(10);
            return error switch
            {
                0 => new ControlClient(name, socket),
                -Errno.ENOENT or -Errno.ECONNREFUSED => throw Unknown(name),
                _ => throw new HostLimitException($"machine {name} takes no connection: {Errno.Explain(-error)}"),
            };
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Asks, and waits for the answer.</summary>
    /// <param name="command">As docs/control.md has them.</param>
    /// <param name="bytes">For <c>balloon</c>: how large it shall be.</param>
    /// <returns>The answer, which has no error.</returns>
    /// <exception cref="BadInputException">The machine refused it; the message says why.</exception>
    /// <exception cref="HostLimitException">It does not answer, or has gone.</exception>
    public JsonDocument Ask(string command, ulong? bytes = null)
    {
        Send(command, bytes);
        JsonDocument answer = Parse(Receive());
        if (!answer.RootElement.TryGetProperty("error", out JsonElement error))
            return answer;
        using (answer)
            throw TryGetText(error, out string? why) ? new BadInputException($"machine {Name}: {why}") : NotOurs();
    }

    /// <summary>Asks, and gives the object of the answer that is what was asked for.</summary>
    /// <param name="command">As docs/control.md has them.</param>
    /// <param name="member">The object's name, as in "info".</param>
    /// <inheritdoc cref="Ask"/>
    public JsonElement AskFor(string command, string member)
    {
        using JsonDocument answer = Ask(command);
        return answer.RootElement.TryGetProperty(member, out JsonElement content)
            && content.ValueKind == JsonValueKind.Object
            ? content.Clone()
            : throw NotOurs();
    }

    /// <summary>
    /// Asks the guest for a balloon of so many bytes and waits until it has one, or gets no further for so long.
    /// </summary>
    /// <param name="stall">How long the guest may give up nothing more, and take nothing back.</param>
    /// <returns>How far it got; the target may be less than asked, whole pages.</returns>
    /// <exception cref="BadInputException">No balloon, or more than the guest's RAM.</exception>
    /// <exception cref="HostLimitException">The machine does not answer, or has gone.</exception>
    public BalloonState SetBalloon(ulong bytes, TimeSpan stall)
    {
        BalloonState state = Balloon(bytes);
        ulong target = state.TargetBytes;
        long moved = Environment.TickCount64;
        while (state.ActualBytes != target
            && state.TargetBytes == target // else somebody else wants something else by now
            && Environment.TickCount64 - moved < stall.TotalMilliseconds)
        {
            Thread.Sleep(50);
            BalloonState next = Balloon();
            if (next.ActualBytes != state.ActualBytes)
                moved = Environment.TickCount64;
            state = next;
        }

        return state;
    }

    /// <summary>The balloon as it is; with <paramref name="bytes"/> it is first asked to become so large.</summary>
    /// <inheritdoc cref="Ask"/>
    public BalloonState Balloon(ulong? bytes = null)
    {
        using JsonDocument answer = Ask("balloon", bytes);
        return answer.RootElement.TryGetProperty("balloon", out JsonElement balloon)
            && balloon.ValueKind == JsonValueKind.Object
            && TryGetSize(balloon, "targetBytes", out ulong target)
            && TryGetSize(balloon, "actualBytes", out ulong actual)
            ? new BalloonState(target, actual)
            : throw NotOurs();
    }

    /// <summary>Waits until the machine's process has ended; false after so long.</summary>
    public bool WaitForEnd(TimeSpan atMost)
    {
        if (_pidfd < 0)
            return _socket.Wait(POLLIN, atMost); // closed with it
        pollfd ended = new() { fd = _pidfd, events = POLLIN };
        return poll(&ended, 1, (int)atMost.TotalMilliseconds) > 0;
    }

    public void Dispose()
    {
        _socket.Dispose();
        if (_pidfd >= 0)
            _ = close(_pidfd);
    }

    private static BadInputException Unknown(string name)
    {
        IReadOnlyList<string> running = RunningMachines.List();
        string others = running.Count == 0
            ? "none does (a machine has a name by --name)"
            : $"running are: {string.Join(", ", running)}";
        return new BadInputException($"ctl {name}: no machine of that name runs; {others}");
    }

    private void Send(string command, ulong? bytes)
    {
        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("command", command);
            if (bytes is { } number)
                writer.WriteNumber("bytes", number);
            writer.WriteEndObject();
        }

        line.Write("\n"u8);

        // A request is far smaller than any socket's buffer, and there is one at a time.
        int sent = _socket.Send(line.WrittenSpan);
        if (sent != line.WrittenCount)
            throw Gone();
    }

    private ReadOnlyMemory<byte> Receive()
    {
        ArrayBufferWriter<byte> line = new();
        while (line.WrittenCount <= MaxAnswer)
        {
            if (!_socket.Wait(POLLIN, Patience))
            {
                throw new HostLimitException(
                    $"machine {Name} does not answer; it may be stopped, or its host too busy");
            }

            int got = _socket.Receive(_buffer);
            if (got <= 0)
                throw Gone();
            line.Write(_buffer.AsSpan(0, got));
            if (line.WrittenSpan[^1] == '\n')
                return line.WrittenMemory;
        }

        throw NotOurs();
    }

    private JsonDocument Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            JsonDocument answer = JsonDocument.Parse(line);
            return answer.RootElement.ValueKind == JsonValueKind.Object ? answer : throw NotOurs();
        }
        catch (JsonException)
        {
            throw NotOurs();
        }
    }

    private static bool TryGetText(JsonElement value, out string? text)
    {
        text = null;
        try
        {
            text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair, escaped.
        }

        return text is not null;
    }

    private static bool TryGetSize(JsonElement parent, string name, out ulong size)
    {
        size = 0;
        return parent.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.Number
            && value.TryGetUInt64(out size);
    }

    private HostLimitException Gone() => new($"machine {Name} has ended");

    private HostLimitException NotOurs() => new($"machine {Name} answers with something else than the protocol's JSON");
}
