using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>The machines of this user that can be controlled.</summary>
public static class RunningMachines
{
    /// <summary>Their names, in ordinal order. Sockets of machines that were killed are removed on the way.</summary>
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

    /// <summary>Whether somebody listens; only under the directory's lock.</summary>
    /// <param name="pid">Who; 0 if that cannot be told.</param>
    internal static bool IsAlive(ControlDirectory directory, string name, out int pid)
    {
        using UnixSocket socket = UnixSocket.Create();
        int error = socket.Connect(directory.Socket(name));
        pid = error == 0 ? socket.Peer.Pid : 0;
        return error is not (-Errno.ECONNREFUSED or -Errno.ENOENT);
    }
}
