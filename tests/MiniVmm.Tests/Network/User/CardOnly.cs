using MiniVmm.Network;
using MiniVmm.Network.User;

namespace MiniVmm.Tests.Network.User;

/// <summary>A card's end without a network behind it.</summary>
internal sealed class CardOnly(int patience = 200) : NetEndpoint
{
    public GuestPort Port { get; } = new(patience);

    public override IReadOnlyList<int> Descriptors => [Port.Card];

    public override bool HasVnetHeader => false;

    public override ushort Mtu => 1500;

    public override string Description => "a card";

    protected override void Dispose(bool disposing) => Port.Dispose();
}
