namespace MiniVmm.Testing;

/// <summary>
/// What stands beside an image in a file NAME.test: a <c>key: value</c> on each line, # for remarks. A key of several values
/// stands several times.
/// </summary>
internal static class TestComment
{
    /// <summary>How such a file's name ends.</summary>
    public const string Extension = ".test";

    /// <summary>The test as the file has it.</summary>
    /// <param name="test">What it is without.</param>
    /// <param name="text">The file's text.</param>
    /// <param name="path">The file, for errors, and for the paths in it.</param>
    /// <exception cref="BadInputException">A line is not of that form, or has a key or a value that is none.</exception>
    public static TestCase Read(TestCase test, string text, string path)
    {
        string folder = Path.GetDirectoryName(path) ?? "";
        HashSet<string> seen = [];
        int number = 0;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            number++;
            ReadOnlySpan<char> words = line.Trim();
            if (words is [] or ['#', ..])
                continue;
            int colon = words.IndexOf(':');
            if (colon < 0)
                throw new BadInputException($"{path}:{number}: write a key, a colon and a value, such as expect: ok");
            string key = words[..colon].Trim().ToString();
            if (seen.Add(key) && TestKeys.IsList(key))
                test = test.Without(key);
            try
            {
                test = test.With(key, words[(colon + 1)..].Trim().ToString(), folder);
            }
            catch (BadInputException e)
            {
                throw new BadInputException($"{path}:{number}: {e.Text}", e);
            }
        }

        return test;
    }
}
