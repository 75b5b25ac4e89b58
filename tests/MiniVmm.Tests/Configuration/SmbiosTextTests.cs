using MiniVmm.Configuration;
using MiniVmm.Firmware;

namespace MiniVmm.Tests.Configuration;

public sealed class SmbiosTextTests
{
    [Fact]
    public void Texts_add_up_to_an_identity()
    {
        SmbiosIdentity identity = SmbiosText.Parse(null, "type=1,manufacturer=A,,B,product=C,version=1,serial=ds=nocloud,sku=K,family=F");
        identity = SmbiosText.Parse(identity, "type=1,uuid=00112233-4455-6677-8899-AABBCCDDEEFF");
        identity = SmbiosText.Parse(identity, "type=11,value=x,value=y=z");

        Assert.Equal(
            ("A,B", "C", "1", "ds=nocloud", "K", "F", "00112233-4455-6677-8899-aabbccddeeff"),
            (identity.Manufacturer, identity.Product, identity.Version, identity.Serial, identity.Sku, identity.Family, identity.Uuid.ToString()));
        Assert.Equal(["x", "y=z"], identity.OemStrings);
    }

    [Theory]
    [InlineData("", "'' cannot be set")]
    [InlineData("type=0,vendor=x", "'type=0' cannot be set")]
    [InlineData("type=1,vendor=x", "unknown 'vendor=x'")]
    [InlineData("type=1,serial", "unknown 'serial'")]
    [InlineData("type=1,uuid=12", "'12' is no UUID")]
    [InlineData("type=1,serial=a\nb", "has a control character in it")]
    [InlineData("type=11,value=", "value= is empty")]
    [InlineData("type=11,path=f", "unknown 'path=f'")]
    public void What_is_wrong_is_said(string text, string complaint) => Assert.Contains(
        complaint, Assert.Throws<BadInputException>(() => SmbiosText.Parse(null, text)).Message, StringComparison.Ordinal);
}
