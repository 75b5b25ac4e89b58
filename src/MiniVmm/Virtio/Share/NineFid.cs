using MiniVmm.Host;
using MiniVmm.Sharing;

namespace MiniVmm.Virtio.Share;

/// <summary>What the guest calls by a number of its own: a path, and once it has opened it, a file.</summary>
internal sealed class NineFid(SharedNode node) : IDisposable
{
    /// <summary>Held by this.</summary>
    public SharedNode Node { get; private set; } = node;

    /// <summary>The open file's descriptor; -1 while there is none.</summary>
    public int File { get; private set; } = -1;

    public bool IsOpen => File >= 0;

    /// <summary>Whether a folder is open.</summary>
    public bool IsFolder { get; private set; }

    public void Open(int file, bool isFolder) => (File, IsFolder) = (file, isFolder);

    /// <summary>Goes on to another path, which it holds from now on.</summary>
    public void Go(SharedNode node)
    {
        Node.Release();
        Node = node;
    }

    public void Dispose()
    {
        if (File >= 0)
            _ = FileCalls.Close(File);
        File = -1;
        Node.Release();
    }
}
