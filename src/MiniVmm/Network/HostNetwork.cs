using MiniVmm.Network.User;

namespace MiniVmm.Network;

/// <summary>Creates the host's end of a card.</summary>
internal static class HostNetwork
{
    /// <summary>Opens what a <c>--net</c> asked for; <see cref="NetMode.None"/> has nothing to open.</summary>
    /// <exception cref="BadInputException">An interface does not exist, or is of another kind.</exception>
    /// <exception cref="HostLimitException">No permission, or something is not installed.</exception>
    public static NetEndpoint Open(NetOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Mode switch
        {
            NetMode.User => new UserNetwork(options.User, options.Mtu),
            NetMode.Tap => TapEndpoint.Open(options.Interface!, options.Queues, options.Mtu),
            NetMode.Bridge => TapEndpoint.OpenOnBridge(
                options.Interface!, options.Queues, options.Mtu, OptionName.Net.With($"bridge={options.Interface}")),
            NetMode.Nat => OpenNat(options),
            _ => throw new ArgumentException($"no end of a card for {options.Mode}", nameof(options)),
        };
    }

    /// <summary>The address of a card: the one given, or <see cref="MacAddress.Default"/>.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="endpoint">What <see cref="Open"/> returned.</param>
    /// <param name="machine">The machine's name, if it was given one.</param>
    /// <param name="index">The card's number in its machine.</param>
    public static MacAddress ChooseMac(NetOptions options, NetEndpoint endpoint, string? machine, int index)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(endpoint);
        return options.Mac ?? MacAddress.Default(machine, endpoint.InterfaceName, index, Identity());
    }

    /// <summary>What distinguishes this host from others: machine-id(5), or its name.</summary>
    internal static string Identity()
    {
        try
        {
            return File.ReadAllText("/etc/machine-id").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Environment.MachineName;
        }
    }

    private static TapEndpoint OpenNat(NetOptions options)
    {
        NamedOption option = OptionName.Net.With(options.Subnet is { } subnet ? $"nat={subnet}" : "nat");
        NatNetwork network = NatNetwork.Join(options.Subnet, option);
        try
        {
            return TapEndpoint.OpenOnBridge(
                network.Bridge, options.Queues, options.Mtu, option, network, $"NAT {network.Subnet}");
        }
        catch
        {
            network.Dispose();
            throw;
        }
    }
}
