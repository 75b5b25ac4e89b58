using System.Buffers;
using System.Text.Json;
using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// The client's end of a control socket: one request at a time, and its answer. A connection on which an answer is overdue or
/// broken is closed, so that what still arrives is never taken for the answer to a later request.
/// </summary>
internal sealed class ControlClient : IDisposable
{
    /// <summary>How long an answer may take: the machine waits up to a second for its guest's figures.</summary>
    private static readonly TimeSpan DefaultPatience = TimeSpan.FromSeconds(5);

    private readonly UnixSocket _socket;
    private readonly TimeSpan _patience;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly ProcessHandle? _process;

    private ControlClient(string name, UnixSocket socket, TimeSpan patience)
    {
        Name = name;
        _socket = socket;
        _patience = patience;

        // While it is connected the PID is still that process's; later it may be another's.
        _process = ProcessHandle.TryOpen(socket.Peer.Pid);
    }

    public string Name { get; }

    /// <exception cref="BadInputException">No machine of that name is running; the message lists those that are.</exception>
    /// <exception cref="HostLimitException">The machine does not accept connections.</exception>
    public static ControlClient Connect(string name) => Connect(name, DefaultPatience);

    /// <inheritdoc cref="Connect(string)"/>
    /// <param name="patience">How long the machine may take to accept, and for each answer.</param>
    internal static ControlClient Connect(string name, TimeSpan patience)
    {
        MachineName.CheckAsked(name);
        using ControlDirectory? directory = ControlDirectory.Open();
        if (directory is null)
            throw Unknown(name);
        UnixSocket socket = UnixSocket.Create();
        try
        {
            int error = socket.Connect(directory.Socket(name), patience);
            return error switch
            {
                0 => new ControlClient(name, socket, patience),
                -Errno.ENOENT or -Errno.ECONNREFUSED => throw Unknown(name),
                _ => throw new HostLimitException($"machine {name} does not accept connections: {Errno.Explain(-error)}"),
            };
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Sends a request and waits for the answer, up to five seconds.</summary>
    /// <returns>The answer's object; undefined if the verb has none.</returns>
    /// <exception cref="BadInputException">The machine refused the request; the message says why.</exception>
    /// <exception cref="HostLimitException">The machine does not answer, or has ended.</exception>
    public JsonElement Ask(ControlVerb verb, VerbArguments? arguments = null)
    {
        ArgumentNullException.ThrowIfNull(verb);
        using JsonDocument answer = Exchange(verb, arguments);
        if (answer.RootElement.TryGetProperty("error", out JsonElement error))
        {
            throw error.ValueKind == JsonValueKind.String
                ? new BadInputException($"machine {Name}: {error.GetString()}")
                : BadReply();
        }

        if (verb.Answer is not { } shape)
            return default;
        return answer.RootElement.TryGetProperty(shape.Name!, out JsonElement content)
            && content.ValueKind == JsonValueKind.Object
            ? content.Clone()
            : throw BadReply();
    }

    /// <summary>Waits for the machine's process to end.</summary>
    /// <returns>False if it has not ended in that time.</returns>
    public bool WaitForEnd(TimeSpan atMost) =>
        _process?.WaitForEnd(atMost) ?? _socket.Wait(POLLIN, atMost); // an older kernel: the socket closes with the process

    public void Dispose()
    {
        _socket.Dispose();
        _process?.Dispose();
    }

    private static BadInputException Unknown(string name)
    {
        IReadOnlyList<string> running = RunningMachines.List();
        OptionMessage others = $"running: {string.Join(", ", running)}";
        if (running.Count == 0)
            others = $"none is (only machines started with {OptionName.Name} are listed)";
        return new BadInputException($"ctl {name}: no machine of that name is running; {others}");
    }

    private JsonDocument Exchange(ControlVerb verb, VerbArguments? arguments)
    {
        if (_socket.Fd < 0)
            throw new HostLimitException($"the connection to machine {Name} is closed; connect again");
        try
        {
            Send(verb, arguments);
            return Parse(Receive(verb.LongestAnswer));
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    private void Send(ControlVerb verb, VerbArguments? arguments)
    {
        ArrayBufferWriter<byte> line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("command", verb.Name);
            arguments?.Write(writer);
            writer.WriteEndObject();
        }

        line.Write("\n"u8);

        // Requests are far smaller than any socket buffer, and there is only one at a time.
        int sent = _socket.Send(line.WrittenSpan);
        if (sent != line.WrittenCount)
            throw Ended();
    }

    private ReadOnlyMemory<byte> Receive(int longest)
    {
        ArrayBufferWriter<byte> line = new();
        while (line.WrittenCount <= longest)
        {
            if (!_socket.Wait(POLLIN, _patience))
            {
                throw new HostLimitException(
                    $"machine {Name} does not answer; its process may be stopped, or the host too busy");
            }

            int got = _socket.Receive(_buffer);
            if (got <= 0)
                throw Ended();
            line.Write(_buffer.AsSpan(0, got));
            if (line.WrittenSpan[^1] == '\n')
                return line.WrittenMemory;
        }

        throw BadReply();
    }

    private JsonDocument Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            JsonDocument answer = JsonLine.Parse(line);
            return answer.RootElement.ValueKind == JsonValueKind.Object ? answer : throw BadReply();
        }
        catch (JsonException)
        {
            throw BadReply();
        }
    }

    /// <summary>Whether the machine was found to have ended.</summary>
    internal bool HasEnded { get; private set; }

    private HostLimitException Ended()
    {
        HasEnded = true;
        return new($"machine {Name} has ended");
    }

    /// <summary>The other end is not a machine, or speaks another protocol.</summary>
    internal HostLimitException BadReply() => new($"machine {Name} sent a reply that is not protocol JSON");
}
