namespace MiniVmm.Terminal;

/// <summary>Whoever is at the other end of a console that is neither a file nor this process' terminal.</summary>
internal interface IConsolePeer : IDisposable
{
    /// <summary>Where to reach it, for people.</summary>
    string Name { get; }

    /// <summary>The file to read and write, non-blocking; -1 while nobody is there.</summary>
    int Fd { get; }

    /// <summary>A file that is readable when somebody comes; -1 where the time has to tell.</summary>
    int Arrivals { get; }

    /// <summary>Looks for somebody.</summary>
    void TryConnect();

    /// <summary>Whoever was there has gone.</summary>
    void Disconnect();
}
