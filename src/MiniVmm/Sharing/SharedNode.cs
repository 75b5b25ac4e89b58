namespace MiniVmm.Sharing;

/// <summary>
/// A name in a shared folder that the guest holds on to, and by those above it a path. A file is looked up by its path whenever it is
/// needed, so that a guest which holds many costs the host no descriptors; a folder that is renamed takes what is below it along.
/// </summary>
internal sealed class SharedNode
{
    private readonly Tree _tree;
    private Dictionary<string, SharedNode>? _children; // most have none
    private int _holders = 1; // whoever it was made for; and each child

    /// <summary>The shared folder itself.</summary>
    public SharedNode()
    {
        Name = "";
        IsThere = true;
        _tree = new Tree();
    }

    private SharedNode(SharedNode parent, string name)
    {
        (Parent, Name, IsThere, _tree) = (parent, name, true, parent._tree);
        _tree.Names++;
        parent.Hold();
        (parent._children ??= []).Add(name, this);
    }

    /// <summary>Names that are held below the shared folder, those that have lost their place among them.</summary>
    public int Names => _tree.Names;

    /// <summary>The folder that it is in; null for the shared folder, and for what has lost its name.</summary>
    public SharedNode? Parent { get; private set; }

    /// <summary>Its name: of bytes, each a character here.</summary>
    public string Name { get; private set; }

    /// <summary>Whether it still has a name, as far as the guest knows.</summary>
    public bool IsThere { get; private set; }

    /// <summary>Whether the one of that name is held already.</summary>
    public bool HasChild(string name) => _children is not null && _children.ContainsKey(name);

    /// <summary>The one of that name in this folder, held.</summary>
    public SharedNode Child(string name)
    {
        if (_children is null || !_children.TryGetValue(name, out SharedNode? child))
            return new SharedNode(this, name);
        child.Hold();
        return child;
    }

    public void Hold() => _holders++;

    /// <summary>Forgets it once nobody holds it.</summary>
    public void Release()
    {
        SharedNode? node = this;
        while (node is not null && --node._holders == 0)
        {
            _tree.Names--;
            SharedNode? parent = node.Parent;
            parent?._children!.Remove(node.Name);
            node.Parent = null;
            node = parent;
        }
    }

    /// <summary>The name was removed: whoever holds it holds nothing any more.</summary>
    public void Lose(string name)
    {
        if (_children is not null && _children.TryGetValue(name, out SharedNode? child))
            child.Detach();
    }

    /// <summary>What has one name in this folder has another one now, in that folder or another.</summary>
    public void Move(string name, SharedNode folder, string newName)
    {
        if (ReferenceEquals(folder, this) && name == newName)
            return;
        folder.Lose(newName);
        if (_children is null || !_children.TryGetValue(name, out SharedNode? child))
            return;
        child.Detach();
        for (SharedNode? above = folder; above is not null; above = above.Parent)
        {
            // Only where somebody on the host has moved them about meanwhile; it would be a path without an end.
            if (ReferenceEquals(above, child))
                return;
        }

        (child.Parent, child.Name, child.IsThere) = (folder, newName, true);
        folder.Hold();
        (folder._children ??= []).Add(newName, child);
    }

    private void Detach()
    {
        SharedNode? parent = Parent;
        parent?._children!.Remove(Name);
        (Parent, IsThere) = (null, false);
        parent?.Release();
    }

    /// <summary>What all below one shared folder have in common.</summary>
    private sealed class Tree
    {
        public int Names { get; set; }
    }
}
