using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>This user's machines that can be controlled.</summary>
internal static class RunningMachines
{
    /// <summary>Their names, in ordinal order. Removes sockets that killed machines have left behind.</summary>
    /// <exception cref="HostLimitException">The directory cannot be used.</exception>
    public static IReadOnlyList<string> List()
    {
        using ControlDirectory? directory = ControlDirectory.Open();
        if (directory is null)
            return [];
        List<string> running = [];
        using (directory.Lock())
        {
            foreach (string name in directory.Names)
            {
                if (IsAlive(directory, name, out _))
                    running.Add(name);
                else
                    directory.Remove(name);
            }
        }

        return running;
    }

    /// <summary>Whether anybody listens on a machine's socket. Only while holding the directory's lock.</summary>
    /// <param name="pid">The process that listens; 0 if unknown.</param>
    internal static bool IsAlive(ControlDirectory directory, string name, out int pid)
    {
        using UnixSocket socket = UnixSocket.Create();
        int error = socket.Connect(directory.Socket(name));
        pid = error == 0 ? socket.Peer.Pid : 0;
        return error is not (-Errno.ECONNREFUSED or -Errno.ENOENT);
    }
}
