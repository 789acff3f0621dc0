# What PSScriptAnalyzer finds, a line each: lint.ps1 PATH
param([Parameter(Mandatory)][string]$Path)
$found = @(Invoke-ScriptAnalyzer -Path $Path -Recurse)
foreach ($one in $found) {
    $file = Resolve-Path -LiteralPath $one.ScriptPath -Relative
    [Console]::Out.WriteLine("${file}:$($one.Line):$($one.Column): $($one.Severity) $($one.RuleName): $($one.Message)")
}
exit [int]($found.Count -gt 0)
