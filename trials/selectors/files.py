"""The stored files that this app's rows name: answers too large for a row, results of analyses, bundles."""

from trials.models import Analysis, PublicBundle, ResponseFile, StoredBundle


def trial_file_digests(using: str = "default") -> dict[str, str | None]:
    """Return every file's SHA-256 by its key; None for the figures of an analysis, which have no hash of their own."""
    digests: dict[str, str | None] = dict.fromkeys(
        Analysis.objects.using(using).exclude(files_key="").values_list("files_key", flat=True)
    )
    for model in (StoredBundle, PublicBundle):
        digests.update(model.objects.using(using).values_list("files_key", "file_sha256"))
    digests.update(ResponseFile.objects.using(using).values_list("key", "sha256"))
    return digests
