using System.Buffers;
using System.Buffers.Binary;

namespace MiniVmm.Display.Rfb;

/// <summary>What a client of RFB does to the guest.</summary>
internal interface IRfbInput
{
    /// <summary>A key is pressed or released, by its X11 keysym.</summary>
    void Key(uint keysym, bool down);

    /// <summary>The pointer is there, with these buttons down: left 1, middle 2, right 4, wheel up 8, down 16.</summary>
    void Pointer(int x, int y, byte buttons);
}

/// <summary>
/// One client of the Remote Framebuffer protocol (RFC 6143), versions 3.3 to 3.8, without authentication: bytes in, bytes out, no
/// socket. A client may be hostile: no message takes more room than <see cref="MostHeld"/>, whatever length it claims, and one that
/// is none of the protocol's ends the session.
/// </summary>
internal sealed class RfbSession : IDisposable
{
    /// <summary>Most bytes of a message that wait for the rest of it.</summary>
    public const int MostHeld = 20;

    private const int VersionLength = 12;
    private const byte NoAuthentication = 1;
    private const int MostEncodings = 1024;

    private readonly IRfbInput _input;
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly RfbEncoder _encoder = new();
    private readonly byte[] _held = new byte[MostHeld];
    private readonly string _name;
    private int _heldCount;
    private int _encodings; // of a list that are still to come
    private uint _skipped; // of a text that are still to come
    private Stage _stage;
    private int _minor;
    private PixelFormat _format = PixelFormat.Native;
    private RfbEncoding _encoding;
    private bool _takesSizes;
    private bool _wantsUpdate;
    private bool _wantsAll;
    private ScreenImage? _sent;
    private int _width;
    private int _height;

    /// <param name="name">Of the desktop; ASCII.</param>
    /// <param name="width">Of the picture at first, at most 65535.</param>
    /// <param name="height">The same.</param>
    /// <param name="input">Takes keys and pointer.</param>
    public RfbSession(string name, int width, int height, IRfbInput input)
    {
        _name = name;
        (_width, _height) = (width, height);
        _input = input;
        _output.Write("RFB 003.008\n"u8);
    }

    private enum Stage
    {
        Version,
        Security,
        ClientInit,
        Normal,
        Ended,
    }

    /// <summary>Whether the client is to be dropped once it has read what there is for it.</summary>
    public bool HasEnded => _stage == Stage.Ended;

    /// <summary>Whether the client waits for the picture to change.</summary>
    public bool WantsUpdate => _wantsUpdate && _output.WrittenCount == 0 && !HasEnded;

    /// <summary>What is to be sent; forgotten by <see cref="Sent"/>.</summary>
    public ReadOnlySpan<byte> Output => _output.WrittenSpan;

    /// <summary>All of the output is sent.</summary>
    public void Sent() => _output.ResetWrittenCount();

    /// <summary>Takes what the client has sent.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0 && !HasEnded)
        {
            if (_skipped > 0)
            {
                uint skip = (uint)Math.Min(_skipped, (uint)bytes.Length);
                _skipped -= skip;
                bytes = bytes[(int)skip..];
                continue;
            }

            _held[_heldCount++] = bytes[0];
            bytes = bytes[1..];
            if (_heldCount < Needed())
                continue;
            ReadOnlySpan<byte> message = _held.AsSpan(0, _heldCount);
            _heldCount = 0;
            Take(message);
        }
    }

    /// <summary>Sends what has changed of the picture, if the client waits for it.</summary>
    public void Update(ScreenImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        if (!WantsUpdate)
            return;
        if ((image.Width, image.Height) != (_width, _height) && _takesSizes)
        {
            (_width, _height) = (image.Width, image.Height);
            BeginUpdate(1);
            RfbEncoder.WriteHeader(_output, new(0, 0, _width, _height), RfbEncoding.DesktopSize);
            (_sent, _wantsUpdate, _wantsAll) = (null, false, true); // the client asks for all of it
            return;
        }

        List<RfbRectangle> changed = Changed(image);
        if (changed.Count == 0)
            return;
        BeginUpdate(changed.Count);
        foreach (RfbRectangle area in changed)
            _encoder.Write(_output, image, area, _format, _encoding);
        (_sent, _wantsUpdate, _wantsAll) = (image, false, false);
    }

    public void Dispose() => _encoder.Dispose();

    /// <summary>Tiles that differ from what the client has; one that takes no sizes gets what fits into the first.</summary>
    private List<RfbRectangle> Changed(ScreenImage image)
    {
        List<RfbRectangle> changed = [];
        int width = Math.Min(_width, image.Width), height = Math.Min(_height, image.Height);
        bool all = _wantsAll || _sent is null || (_sent.Width, _sent.Height) != (image.Width, image.Height);
        for (int y = 0; y < height; y += RfbEncoder.Tile)
        {
            for (int x = 0; x < width; x += RfbEncoder.Tile)
            {
                RfbRectangle tile = new(x, y, Math.Min(RfbEncoder.Tile, width - x), Math.Min(RfbEncoder.Tile, height - y));
                if (all || Differs(image, _sent!, tile))
                    changed.Add(tile);
            }
        }

        return changed;
    }

    private static bool Differs(ScreenImage image, ScreenImage other, in RfbRectangle tile)
    {
        for (int y = tile.Y; y < tile.Y + tile.Height; y++)
        {
            if (!image.Line(y).Slice(tile.X, tile.Width).SequenceEqual(other.Line(y).Slice(tile.X, tile.Width)))
                return true;
        }

        return false;
    }

    private void BeginUpdate(int rectangles)
    {
        Span<byte> header = _output.GetSpan(4);
        (header[0], header[1]) = (0, 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)rectangles);
        _output.Advance(4);
    }

    /// <summary>Bytes of the message that begins with what is held, or of the part of it that is looked at as one.</summary>
    private int Needed() => _stage switch
    {
        Stage.Version => VersionLength,
        Stage.Security or Stage.ClientInit => 1,
        _ when _encodings > 0 => sizeof(int),
        _ => _held[0] switch
        {
            0 => 20, // SetPixelFormat
            2 => 4, // SetEncodings, up to the list
            3 => 10, // FramebufferUpdateRequest
            4 => 8, // KeyEvent
            5 => 6, // PointerEvent
            6 => 8, // ClientCutText, up to the text
            _ => 1,
        },
    };

    private void Take(ReadOnlySpan<byte> message)
    {
        switch (_stage)
        {
            case Stage.Version:
                TakeVersion(message);
                break;
            case Stage.Security:
                TakeSecurity(message[0]);
                break;
            case Stage.ClientInit: // whether others may stay: they may
                SendServerInit();
                _stage = Stage.Normal;
                break;
            case Stage.Normal when _encodings > 0:
                TakeEncoding(BinaryPrimitives.ReadInt32BigEndian(message));
                break;
            default:
                TakeMessage(message);
                break;
        }
    }

    private void TakeVersion(ReadOnlySpan<byte> version)
    {
        _minor = version.SequenceEqual("RFB 003.008\n"u8) ? 8
            : version.SequenceEqual("RFB 003.007\n"u8) ? 7
            : version.StartsWith("RFB 003."u8) && version[^1] == '\n' ? 3
            : 0;
        if (_minor == 0)
        {
            _stage = Stage.Ended;
            return;
        }

        // In 3.3 the server decides; later the client chooses from a list.
        ReadOnlySpan<byte> decision = [0, 0, 0, NoAuthentication];
        ReadOnlySpan<byte> list = [1, NoAuthentication];
        _output.Write(_minor == 3 ? decision : list);
        _stage = _minor == 3 ? Stage.ClientInit : Stage.Security;
    }

    private void TakeSecurity(byte type)
    {
        ReadOnlySpan<byte> good = [0, 0, 0, 0];
        ReadOnlySpan<byte> bad = [0, 0, 0, 1, 0, 0, 0, 9, .. "not known"u8];
        _stage = type == NoAuthentication ? Stage.ClientInit : Stage.Ended;
        if (_minor == 8)
            _output.Write(type == NoAuthentication ? good : bad);
    }

    private void SendServerInit()
    {
        Span<byte> header = _output.GetSpan(24 + _name.Length);
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)_width);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)_height);
        PixelFormat.Native.Write(header[4..]);
        BinaryPrimitives.WriteInt32BigEndian(header[20..], _name.Length);
        for (int i = 0; i < _name.Length; i++)
            header[24 + i] = (byte)_name[i];
        _output.Advance(24 + _name.Length);
    }

    private void TakeMessage(ReadOnlySpan<byte> message)
    {
        switch (message[0])
        {
            case 0 when PixelFormat.Read(message[4..]) is { } format:
                _format = format;
                _wantsAll = true;
                break;
            case 2:
                _encodings = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
                if (_encodings > MostEncodings)
                    _stage = Stage.Ended;
                (_encoding, _takesSizes) = (RfbEncoding.Raw, false);
                break;
            case 3:
                _wantsUpdate = true;
                _wantsAll |= message[1] == 0;
                break;
            case 4:
                _input.Key(BinaryPrimitives.ReadUInt32BigEndian(message[4..]), message[1] != 0);
                break;
            case 5:
                _input.Pointer(
                    BinaryPrimitives.ReadUInt16BigEndian(message[2..]), BinaryPrimitives.ReadUInt16BigEndian(message[4..]), message[1]);
                break;
            case 6: // what the user has cut elsewhere: a guest has no place for it
                _skipped = BinaryPrimitives.ReadUInt32BigEndian(message[4..]);
                break;
            default:
                _stage = Stage.Ended;
                break;
        }
    }

    private void TakeEncoding(int encoding)
    {
        _encodings--;
        if (encoding == (int)RfbEncoding.Zrle)
            _encoding = RfbEncoding.Zrle;
        else if (encoding == (int)RfbEncoding.DesktopSize)
            _takesSizes = true;
    }
}
