using System.Text;
using MiniVmm.Gdb;

namespace MiniVmm.Tests.Gdb;

/// <summary>gdb's end of a session.</summary>
internal sealed class GdbClient(GdbSession session)
{
    /// <summary>Sends a packet.</summary>
    /// <returns>The replies' payloads.</returns>
    public string[] Ask(string payload)
    {
        Send(payload);
        return Replies();
    }

    public void Send(string payload)
    {
        byte[] frame = new byte[GdbFraming.MostFrame];
        int length = GdbFraming.Write(Encoding.Latin1.GetBytes(payload), frame);
        session.Receive(frame.AsSpan(0, length));
    }

    /// <summary>What has come, without acknowledgements.</summary>
    public string[] Replies()
    {
        List<string> replies = [];
        byte[] payload = new byte[GdbFraming.MostPayload];
        ReadOnlySpan<byte> output = session.Output;
        while (!output.IsEmpty)
        {
            GdbInput kind = GdbFraming.Read(output, payload, out int consumed, out int length);
            Assert.Contains(kind, (GdbInput[])[GdbInput.Packet, GdbInput.Acknowledged]);
            if (kind == GdbInput.Packet)
                replies.Add(Encoding.Latin1.GetString(payload, 0, length));
            output = output[consumed..];
        }

        session.Sent(session.Output.Length);
        return [.. replies];
    }
}
