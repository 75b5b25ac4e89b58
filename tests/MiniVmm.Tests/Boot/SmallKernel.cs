using System.Buffers.Binary;
using System.IO.Compression;
using K4os.Compression.LZ4;
using SharpCompress.Compressors.BZip2;

namespace MiniVmm.Tests.Boot;

/// <summary>A small vmlinux, and what each codec of the kernel build makes of it, size appended.</summary>
internal static class SmallKernel
{
    /// <summary>
    /// 1500 bytes at 16 MiB, full of what xz's x86 filter looks for; linked to the top of the address space.
    /// </summary>
    public static ElfBuilder Builder()
    {
        byte[] alphabet = [0xe8, 0xe9, 0x00, 0xff, 0x48, 0x90];
        byte[] code = new byte[1500];
        uint random = 1;
        for (int i = 0; i < code.Length; i++)
        {
            random = unchecked(random * 1103515245 + 12345);
            code[i] = alphabet[(random >> 16) % 6];
        }

        ElfBuilder elf = new(is64: true) { Entry = 0x100_0000 };
        return elf.With(0x100_0000, code, memorySize: 0x4000, virtualAddress: 0xffff_ffff_8100_0000);
    }

    public static byte[] Vmlinux { get; } = Builder().Build();

    public static byte[] Payload(string codec) => codec switch
    {
        "gzip" => Gzip(Vmlinux),
        "bzip2" => [.. Bzip2(Vmlinux), .. SizeField(Vmlinux.Length)],
        "lz4" => [.. Lz4(Vmlinux), .. SizeField(Vmlinux.Length)],
        "zstd" => [.. Zstd(Vmlinux), .. SizeField(Vmlinux.Length)],
        "xz" => [.. XzWithBranchFilter, .. SizeField(Vmlinux.Length)],
        "xz, blocks" => [.. XzInBlocks, .. SizeField(Vmlinux.Length)],
        "lzma" => [.. Lzma, .. SizeField(Vmlinux.Length)],
        _ => throw new ArgumentOutOfRangeException(nameof(codec)),
    };

    public static byte[] SizeField(int size)
    {
        byte[] field = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(field, size);
        return field;
    }

    public static byte[] Gzip(byte[] data)
    {
        using MemoryStream packed = new();
        using (GZipStream stream = new(packed, CompressionLevel.Optimal))
            stream.Write(data);
        return packed.ToArray();
    }

    public static byte[] Bzip2(byte[] data)
    {
        using MemoryStream packed = new();
        using (BZip2Stream stream = BZip2Stream.Create(
            packed, SharpCompress.Compressors.CompressionMode.Compress, decompressConcatenated: false, leaveOpen: true))
            stream.Write(data);
        return packed.ToArray();
    }

    private static byte[] Zstd(byte[] data)
    {
        using ZstdSharp.Compressor compressor = new();
        return compressor.Wrap(data).ToArray();
    }

    // Two blocks, so that the second one is seen to have its own size.
    private static byte[] Lz4(byte[] data) =>
        [0x02, 0x21, 0x4c, 0x18, .. Lz4Block(data[..700]), .. Lz4Block(data[700..])];

    private static byte[] Lz4Block(byte[] data)
    {
        byte[] packed = new byte[LZ4Codec.MaximumOutputSize(data.Length)];
        int length = LZ4Codec.Encode(data, packed);
        return [.. SizeField(length), .. packed[..length]];
    }

    // xz -9e --check=crc32 --x86 --lzma2=dict=4MiB
    private static byte[] XzWithBranchFilter { get; } = Convert.FromBase64String(
        """
        /Td6WFoAAAFpIt42AgEEACEBFACP5AMt4AZTA7ddAD+RRYRoPYmm2orMk+JO8enh6PAAfZ2WJsEGvt3rI2/+vjPSx64t2fAJCrLv
        osMJYx5aasdlt0v/WBviPZcGx6sqpJVcnMLfmbhMkKwmzlsxHVfZ34sxjgXdNdBTyMsL6xtP7b7JWKmpEaNOJJgQFQ8UutcDu3I9
        yiiJcM/F3nyLdjAkwJUWQgElrh4nm0qejvPpwijOjWmguDOa834/e1hcxk0zA3kt2WPWwJIWbamx7BCzi6YEDhwND5xVUajVQdqO
        G/wjs8NTnDtesFfHx3iBsbKItrjaMfeI7r082ml6VoyxCMeAeYTVUmRLXySO9zxTfuuF5B3YWSX3axDtEGtklM1GYJlpJ8F7YYuI
        VNvWvgoQYmHfMph6WylTeATKVqS2p2r/evCePkJuIyXa3ZLpnDuj+xFcDWjWWhefxymyMjwu7ZctD6SWAwBZDwH6dV/OJyeI3hLA
        v1gYCh97LQxCB1YjPtDkJk8a369jPYWjkX1NI6hnVUmXP2/BlToGypQ1aesqiwFoXWakWYyrsxL1fokzhMizEcEovkvW492/Yj8w
        fju+DCY2o/4ww7ZbB7khjntP2YjTqJQVPI37JbOnoGgZ6S2J6e2q15A4y1o2Fsc4cdwoE6Biq9F+fq3qYVP7n2eVxm4szKZOOUHy
        JYXe/aFgwfZRRq41COn35ObiI2sTP2gCuBvq/pKDe8PXkqglChh7Tx1wyMZ5bwvRKX98z/BxvJSGQqbThPauta48TU5vtk2roWZk
        53KKkCJf6QC5/KuphI3hKtukhMMlbv5VYXd3btHf0VOqPfvLA8miySbJOBZpYJQg5Lwg819cQJb/BEzqCqY7V+ylpP2tM+7vHReV
        wRHrPNCmk8dSXj0nhtYfzWmv62lCSknxMljoqkhLKu7rr8U24VAdKXYQ2Di7ljoaHFdewFT1TKMtQY/ZbUZrlupC6xogRLpz6WG7
        90LxFNKfoduFly0I97KW8C5kmBfig2WVaAuTUl9HaXprB+EGr0Erf1r4jnKE4ftIDNqf7eCeNfpMqpmQBrIK6hF0+r8wxGDj099h
        dbkV8y2/qLM7bPiVW1Pt9E4TXQWqec7CAy+b/kOIbMuk1CLDPPruoagajl77aoGvCi3UM4dQcw5mkobJjt5515rbWDupPQtYrNfn
        GN0yZ5pUT2/DrvFWrKi5mRH64mSoe6MsgcHu9SgTEdbYY8zHFFZEuyE+LXLnf0XbypyT6Lv/q8fxzBTwNxB0nk1PLmjUWRKkjugx
        tE4mrwMMAAAA7+jvMAABzwfUDAAABnPnMT4wDYsCAAAAAAFZWg==
        """);

    // xz --check=crc64 --block-size=1000 --lzma2=dict=4096
    private static byte[] XzInBlocks { get; } = Convert.FromBase64String(
        """
        /Td6WFoAAATm1rRGAgAhAQAAAAA3J5fW4APnAfhdAD+RRYRoPYmm2orMk+JO8enh6PAAfZ2WJsEGvt3rI2/+vjPSx64t2fAJCrLv
        osMJYx5aa5wkt/WnYTmp36s3qiqBeyJTnEKNKx1jRK5Sh5PBFJ7mugJNT1L4t2qtWse7/INoQBui0bksnA/hh2cbT2j6dM8dpMqR
        +Fpa2dPRtUDjEN6180wfuSU53CspFfWJwdnJdglxSQeMJOgyT+HzxhQRmEHQQwNAc7DkoowaDdlXL1ppdSJUKMp5g72ofRuMDA+a
        h3E2q2Ap/Qo/byw6VAQi5wF4zLMtE6Bz4teTv3TdNINtYGWSujwbmf+CkiM60Qrz2XFM8iSnJjRabssTG8oHHgOJPNkvVkQaBvYu
        6hlavlPcIHvmzAjXm30ay7bMrumeRE6uS7Mka1viPYdAC8JQVhWg7dOYr2lpmePN4rSsGxAGtDF8F3E0WwZp8yVjI6l8Lh6VdiiW
        sUKlHKDz+ybCQ6Obr4f/oLylEl1fkLg+8EE9wRh7V5zT2PExODzErMYryuaxYANOad9ys9Oc1gd0DDbV1MyyCsqZR+eZRf8/XMsj
        oz6fKpjEpOVFDkrtj0gnJMzKCejB2KJ4cRwvS4m+vvwnkBaGjqF70jOeSE2UzouvMotlGrA/Xxdl2WMd1+JRlGCLcZt1cTZJg0OZ
        u8vfcqGqxpKGWgB0ZwPXVWog6AIAIQEAAAAANyeX1uACawFSXQB04/gARnsmGiwjY3Y3LTEtCDKUThZoUri+2McWJMY0jOrR5MlB
        Txrw31F1jUPyoybo/CnTbvLpSupB18lGa0597ppjW+d8lP67q1O/MeszXO9TtFXxuSVSXu4F7CD4jodguidb2J89r2YSjfuXi+K7
        OulVH2yCIi2qLBXehigo6DB45YnZADOP1u/ipGnGH9ANCPIU53HzII0qiRSIjUAIsygJ3REd+AKh6dgNyMGYnGrMlcAv+WZCHIVd
        jjltceN5gzk6p3Ij1xoIG8vSNTw5VcAjtxgd8tr/idI0nL36NeVl8qoT8xxG232PqQDtVxMb3uqrbdPXI/E39ezNelARwSP2avNd
        QiC35GdTIakV+xoGB+abG1Kieov8MUEmdJ1C+WkBcBTMPZ3Qll9bNLuYXZwErJy9s5JcAlMR3kTGvw5Jcf40KAoFtTvfD6eJM1Mo
        AAAAAL4eYrFeLYBtAAKUBOgH7gLsBAAApXmp7hQXOzADAAAAAARZWg==
        """);

    // lzma -9
    private static byte[] Lzma { get; } = Convert.FromBase64String(
        """
        XQAAAAT//////////wA/kUWEaD2JptqKzJPiTvHp4ejwAH2dlibBBr7d6yNv/r4z0seuLdnwCQqy76LDCWMeWmucJLf1p2E5qd+r
        N6oqgXsiU5xCjSsdY0SuUoeTwRSe5roCTU9S+LdqrVrHu/yDaEAbotG5LJwP4YdnG09o+nTPHaTKkfhaWtnT0bVA4xDetfNMH7kl
        OdwrKRX1icHZyXYJcUkHjCToMk/h88YUEZhB0EMDQHOw5KKMGg3ZVy9aaXUiVCjKeYO9qH0bjAwPmodxNqtgKf0KP28sOlQEIucB
        eMyzLROgc+LXk7903TSDbWBlkro8G5n/gpIjOtEK89lxTPIkpyY0Wm7LExvKBx4DiTzZL1ZEGgb2LuoZWr5T3CB75swI15t9Gsu2
        zK7pnkROrkuzJGtb4j2HQAvCUFYVoO3TmK9paZnjzeK0rBsQBrQxfBdxNFsGafMlYyOpfC4elXYolrFCpRyg8/smwkOjm6+H/6C8
        pRJdX5C4PvBBPcEYe1ec09jxMTg8xKzGK8rmsWADTmnfcrPTnNYHdAw21dTMsgrKmUfnmUX/P1zLI6M+nyqYxKTlRQ5K7Y9IJyTM
        ygnowdiieHEcL0uJvr78J5AWho6he9IznkhNlM6LrzKLZRqwP18XZdljHdfiUZRgi3GbdXE2SYNDmbvL33WhDFyxBlAvwMkytiST
        SWXpNjSuVGB98tW4Y3YtFgkFXXGILIJhuze17egGXAZtB7JZvF+MDKYmPkX/yV61mpgOBaSHvQwWaFEDKOVBcmqdoeX+KXXZuoNw
        Y4+5tvDecHVSbgQFGemnfalaCpxXZsBMhvXm8OrMn4w6FcKqeWTk2NZ3tWpzgN3ihWBPKsbsNXKeuxG5ZU8KiHaGxEqSJemIAkDW
        BADOxH5zE0cGPrtBPZ9VDlhB5xWeIq7WpI6hg/oPzCLNT1+2yv6Hbwzy/DDJ3HLKUbO7v3f+oLpKJRtG1+JZyEectPmBNwhXfOGx
        YihxyUVqeMUAnFlZTBHxR8gkM2LqLB71l6V3yP/+sox/
        """);
}
