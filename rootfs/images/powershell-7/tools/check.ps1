# Whether a script can be read; it is not run: check.ps1 FILE
param([Parameter(Mandatory)][string]$File)
$errors = $null
[void][System.Management.Automation.Language.Parser]::ParseFile((Resolve-Path -LiteralPath $File), [ref]$null, [ref]$errors)
foreach ($one in $errors) {
    $at = $one.Extent
    [Console]::Error.WriteLine("${File}:$($at.StartLineNumber):$($at.StartColumnNumber): $($one.Message)")
}
exit [int]($errors.Count -gt 0)
